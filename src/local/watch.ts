/** Watching: tells of saved files, once for what is saved together. */
import { watch } from 'node:fs';

export interface Watcher {
  stop(): void;
}

/** Editors write a file in several steps, and checkouts many files. */
const SETTLED_MS = 100;

/** @param changed never called again before it has ended; what is saved meanwhile calls it once more. It does not throw */
export function watchFolders(folders: string[], changed: () => Promise<void>): Watcher {
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let again = false;
  const run = async () => {
    again = running;
    if (running) return;
    running = true;
    await changed();
    running = false;
    if (again) await run();
  };
  const watchers = folders.map((folder) =>
    watch(folder, { recursive: true }, () => {
      clearTimeout(timer);
      timer = setTimeout(run, SETTLED_MS);
    }),
  );
  return {
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
