/** A project's package.json with what Sluice needs in it. All else stays as it is, down to how it is indented. */
import { UsageError } from '../failure.ts';

/** What of it is read and added to. */
const PARTS = ['scripts', 'dependencies', 'devDependencies'] as const;

export type PackageJson = { [Part in (typeof PARTS)[number]]?: Record<string, string> } & { type?: string };

/** @throws UsageError where it is no object of JSON, or a part of it is none */
export function parsePackageJson(text: string): PackageJson {
  const parsed = parseJson(text);
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  const isWhole = isObject(parsed) && PARTS.every((part) => isObject((parsed as PackageJson)[part] ?? {}));
  if (!isWhole) throw new UsageError('package.json is not one that npm could read');
  return parsed as PackageJson;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function joinParts(one: PackageJson, other: PackageJson): PackageJson {
  return Object.fromEntries(PARTS.map((part) => [part, { ...one[part], ...other[part] }]));
}

export interface Merged {
  text: string;
  /** What was added, such as `dependencies.zod`. */
  added: string[];
  /** Scripts whose names are taken by others. */
  taken: Record<string, string>;
}

/** Adds what is missing. A dependency that is there, in whichever part and range, is not touched; a `type` that is wanted counts. */
export function mergePackageJson(text: string, wanted: PackageJson): Merged {
  const merged = parsePackageJson(text);
  const added: string[] = [];
  if (wanted.type !== undefined && wanted.type !== merged.type) {
    merged.type = wanted.type;
    added.push('type');
  }
  const taken: Merged['taken'] = {};
  for (const part of PARTS) {
    for (const [name, value] of Object.entries(wanted[part] ?? {})) {
      if (part === 'scripts' && name in (merged.scripts ?? {})) {
        if (merged.scripts?.[name] !== value) taken[name] = value;
        continue;
      }
      if (part !== 'scripts' && name in { ...merged.dependencies, ...merged.devDependencies }) continue;
      merged[part] = { ...merged[part], [name]: value };
      added.push(`${part}.${name}`);
    }
  }
  const indent = /^[\t ]+(?=")/m.exec(text)?.[0] ?? '  ';
  return { text: `${JSON.stringify(merged, undefined, indent)}\n`, added, taken };
}
