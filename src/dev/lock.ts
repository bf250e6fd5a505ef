/** A folder that one process at a time works in: two on the same data would each overwrite what the other has kept. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'lock';

/**
 * @returns what lets others in again. A process that was killed needs not call it: whoever comes next sees that it is gone
 * @throws Error where another process that runs has the folder
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, NAME);
  if (!take(path)) {
    const holder = Number(readFileSync(path, 'utf8'));
    if (isRunning(holder)) {
      throw new Error(
        `${folder} is in use by process ${holder}, which may be another \`sluice dev\`: --data takes another folder. If it is something else, delete ${path}`,
      );
    }
    rmSync(path, { force: true });
    if (!take(path)) throw new Error(`${folder} is in use by another process`);
  }
  return () => rmSync(path, { force: true });
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** This process itself is none of those: in a container each start may have the same id. */
function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // it is somebody else's
  }
}
