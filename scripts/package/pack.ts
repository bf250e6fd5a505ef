/** Packs what is staged, as npm does before it publishes. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { STAGED } from './stage.ts';

export interface Tarball {
  file: string;
  bytes: number;
  /** Paths in the package. */
  contents: string[];
}

/** What npm says of one. */
interface Packed {
  filename: string;
  size: number;
  files: { path: string }[];
}

/** @param folder where the tarball goes. @throws Error where npm does not pack it */
export async function packPackage(folder: string): Promise<Tarball> {
  const args = ['pack', STAGED, '--json', '--loglevel', 'error', '--pack-destination', folder];
  const { stdout } = await promisify(execFile)('npm', args, { cwd: folder });
  const [packed] = JSON.parse(stdout) as Packed[];
  if (!packed) throw new Error(`npm packed nothing: ${stdout}`);
  return {
    file: join(folder, packed.filename),
    bytes: packed.size,
    contents: packed.files.map(({ path }) => path),
  };
}
