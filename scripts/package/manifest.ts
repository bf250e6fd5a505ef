/** The package.json that is published, made of the repository's: its entries lead to what is built, and what only development needs is left out. */
import { COMMAND, type Manifest, nameOfEntry, nameOfWay } from './entries.ts';

/** Taken as they are, where they are there. */
const KEPT = [
  'name',
  'version',
  'description',
  'keywords',
  'license',
  'author',
  'repository',
  'homepage',
  'bugs',
  'type',
  'dependencies',
  'peerDependencies',
  'peerDependenciesMeta',
] as const;

/** The first Node in which `require` of a module needs no flag. The repository itself begins on older ones: `npm ci` brings its own. */
const NODE = '>=22.12';

/** What stands in the tarball, besides package.json, README.md and LICENSE, which npm takes by itself. */
const FILES = ['dist'];

export function publishedManifest(manifest: Manifest): object {
  const { exports, imports } = manifest;
  return {
    ...Object.fromEntries(KEPT.filter((field) => field in manifest).map((field) => [field, manifest[field]])),
    exports: {
      ...mapKeys(exports, (specifier) => builtFiles(nameOfEntry(specifier))),
      './package.json': './package.json',
    },
    ...(imports ? { imports: mapKeys(imports, (name) => builtWays(imports[name] ?? {})) } : {}),
    bin: { sluice: `dist/${COMMAND.name}.js` },
    files: FILES,
    sideEffects: false,
    engines: { node: NODE },
  };
}

/** No condition asks for `import`: `require` gets the same module. */
const builtFiles = (name: string) => ({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });

const builtWays = (byCondition: Record<string, string>) =>
  mapKeys(byCondition, (condition) => `./dist/${nameOfWay(byCondition[condition] ?? '')}.js`);

function mapKeys<Value>(record: object, value: (key: string) => Value): Record<string, Value> {
  return Object.fromEntries(Object.keys(record).map((key) => [key, value(key)]));
}
