/** What is wrong with a package, a sentence each: its size, its files and their lines, and what its entries load. */
import type { Chunk } from './bundle.ts';
import type { Tarball } from './pack.ts';

/** 370 KB. */
const MOST_BYTES = 460_000;
/** Some lines of a terminal. */
const MOST_COLUMNS = 400;
/** Nothing is thrown there: texts, such as scripts of Redis, and the lists of names that modules have of each other. */
const THROWS_NOTHING = /"(?:[^"\\\n]|\\.)*"|^(?:import|export) \{.*$/gm;
const TOP = ['package.json', 'README.md', 'LICENSE'];

/** Entries for programs that define queues or call a deployment elsewhere, and what they may not carry. */
const ENGINELESS = ['client', 'define'];
const ENGINE = /^src\/(?:sluice|engine|rehearsal|redis|store|broker|drain|delivery|http)\b/;

export function judgeSize({ bytes }: Tarball): string[] {
  return bytes > MOST_BYTES ? [`the tarball has ${bytes} bytes, of ${MOST_BYTES}`] : [];
}

export function judgeContents({ contents }: Tarball): string[] {
  const strange = contents.filter((path) => !TOP.includes(path) && !path.startsWith('dist/'));
  const missing = TOP.filter((path) => !contents.includes(path));
  return [
    ...strange.map((path) => `${path} is in the tarball`),
    ...missing.map((path) => `${path} is not in the tarball`),
  ];
}

export function judgeEngineless(chunks: Chunk[]): string[] {
  return ENGINELESS.flatMap((name) => {
    const loaded = loadedBy(`${name}.js`, chunks).flatMap(({ sources }) => sources);
    return loaded.filter((source) => ENGINE.test(source)).map((source) => `the entry ${name} loads ${source}`);
  });
}

/** Of an error that nobody catches, Node prints the line where it was thrown, however long. */
export function judgeLines(chunks: Chunk[]): string[] {
  return chunks.flatMap(({ file, code }) => {
    const columns = Math.max(
      ...code
        .replace(THROWS_NOTHING, '')
        .split('\n')
        .map(({ length }) => length),
    );
    return columns > MOST_COLUMNS ? [`${file} has a line of ${columns} characters, of ${MOST_COLUMNS}`] : [];
  });
}

/** Modules that import each other in a circle may be run before what they need is there. */
export function judgeCircles(chunks: Chunk[]): string[] {
  const around = chunks.filter(({ file, imports }) =>
    imports.some((next) => loadedBy(next, chunks).some((chunk) => chunk.file === file)),
  );
  return around.map(({ file }) => `${file} imports itself in a circle`);
}

/** An entry's module, and all that it imports at once. */
function loadedBy(entry: string, chunks: Chunk[]): Chunk[] {
  const byFile = new Map(chunks.map((chunk) => [chunk.file, chunk]));
  const found = new Set<Chunk>();
  const visit = (file: string) => {
    const chunk = byFile.get(file);
    if (!chunk || found.has(chunk)) return;
    found.add(chunk);
    chunk.imports.forEach(visit);
  };
  visit(entry);
  return [...found];
}
