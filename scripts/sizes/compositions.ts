/** Compositions: what users make of Sluice, each a file of test/sizes/, and how large it may be. */

export interface Composition {
  name: string;
  /** Its file, from the root of the repository. */
  entry: string;
  /** Compressed. Left out: it is measured, and not judged. */
  mostKiB?: number;
  /** Built by wrangler, as it is deployed; the others by esbuild with wrangler's settings. */
  deployed?: true;
}

const ofTests = (name: string, mostKiB?: number): Composition => ({
  name,
  entry: `test/sizes/${name}.ts`,
  ...(mostKiB === undefined ? {} : { mostKiB }),
});

export const compositions: Composition[] = [
  { name: 'deployed', entry: 'functions/worker.ts', mostKiB: 162, deployed: true },
  ofTests('v1', 158),
  ofTests('define', 10),
  ofTests('client', 5),
  ofTests('core', 112),
  ...['core-schedules', 'core-topics', 'core-rings', 'core-webhooks'].map((name) => ofTests(name)),
];
