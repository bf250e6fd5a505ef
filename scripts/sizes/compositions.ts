/** Compositions: what users make of Sluice, each a file of test/sizes/, and how large it may be. */

export interface Composition {
  name: string;
  /** Its file, from the root of the repository. */
  entry: string;
  /** Compressed. */
  mostKiB: number;
  /** Built by wrangler, as it is deployed; the others by esbuild with wrangler's settings. */
  deployed?: true;
}

const small = (name: string, mostKiB: number): Composition => ({ name, entry: `test/sizes/${name}.ts`, mostKiB });

export const compositions: Composition[] = [
  { name: 'all of v1', entry: 'functions/worker.ts', mostKiB: 130, deployed: true },
  small('define', 10),
  small('client', 5),
  small('core', 116),
];
