/** Watching: tells of saved files, once for what is saved together. */
import { type Dirent, type FSWatcher, readdirSync, watch } from 'node:fs';
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
  const open = (folder: string): boolean => {
    try {
      const watcher = watch(folder, () => {
        told();
        refresh(); // it may have been a folder that came or went
      });
      watchers.set(
        folder,
        watcher.on('error', () => watchers.delete(folder)),
      );
      return true;
    } catch {
      return false; // it has just gone: the folder that it was in tells of it
    }
  };
  const refresh = () => {
    const folders = new Set(roots.flatMap((root) => [root, ...foldersIn(root)]));
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    const opened = [...folders].filter((folder) => !watchers.has(folder)).map(open);
    if (opened.includes(true)) refresh(); // what came into them before they were watched
  };
  refresh();
  return () => {
    for (const watcher of watchers.values()) watcher.close();
  };
}

/** By their entries, not their state: a file that an editor has put away meanwhile has none. */
function foldersIn(root: string): string[] {
  const here = entriesOf(root).filter((entry) => entry.isDirectory());
  return here.map(({ name }) => join(root, name)).flatMap((folder) => [folder, ...foldersIn(folder)]);
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // it has just gone
  }
}
