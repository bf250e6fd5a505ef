/** The file from which a platform takes its settings on this machine: what is missing in it is added, and what is given stays. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

export interface CompletedFile {
  /** What the file says, of these names. */
  values: Record<string, string>;
  /** The names that were written. */
  added: string[];
}

/** `NAME=value`, as dotenv reads it. */
const LINE = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/;

/**
 * @param settings a name that the file has without a value, as a copied example does, gets this one too
 * @throws Error of the file system
 */
export function completeFile(path: string, settings: Record<string, string>): CompletedFile {
  const lines = readLines(path);
  const given = settingsIn(lines);
  const added = Object.keys(settings).filter((name) => !given[name]);
  if (added.length > 0) {
    const written = lines.map((line) => {
      const name = nameIn(line);
      return name && added.includes(name) && name in given ? `${name}=${settings[name]}` : line;
    });
    const rest = added.filter((name) => !(name in given)).map((name) => `${name}=${settings[name]}`);
    const text = [...written, ...rest].filter((line, i) => i > 0 || line !== '').join('\n');
    writeFileSync(path, `${text}\n`, { mode: 0o600 }); // it holds secrets
  }
  const values = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, given[name] || value]));
  return { values, added };
}

/** @returns what the file says; nothing where there is none. @throws Error of the file system */
export const readSettings = (path: string): Record<string, string> => settingsIn(readLines(path));

const readLines = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []);

const nameIn = (line: string) => LINE.exec(line)?.[1];

/** The last line of a name counts. Quotes around a value, and what stands behind a blank and `#`, are not of the value. */
function settingsIn(lines: string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines) {
    const [, name, text = ''] = LINE.exec(line) ?? [];
    if (name) found[name] = /^(["'`])(.*)\1/.exec(text)?.[2] ?? text.replace(/(?:^|\s)#.*$/, '').trim();
  }
  return found;
}
