/** Watching: tells of saved files, once for what is saved together. */
import { type FSWatcher, globSync, watch } from 'node:fs';
import { join } from 'node:path';

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
  const stop = watchTrees(folders, () => {
    clearTimeout(timer);
    timer = setTimeout(run, SETTLED_MS);
  });
  return {
    stop() {
      clearTimeout(timer);
      stop();
    },
  };
}

/** Each folder by itself: a recursive watch loses a file for good once an editor has put another in its place. */
function watchTrees(roots: string[], told: () => void): () => void {
  const watchers = new Map<string, FSWatcher>();
  const refresh = () => {
    const folders = new Set(roots.flatMap((root) => [root, ...foldersIn(root)]));
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      const watcher = watch(folder, () => {
        told();
        refresh(); // it may have been a folder that came or went
      });
      watchers.set(
        folder,
        watcher.on('error', () => watchers.delete(folder)),
      );
    }
  };
  refresh();
  return () => {
    for (const watcher of watchers.values()) watcher.close();
  };
}

const foldersIn = (root: string) =>
  globSync('**', { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
