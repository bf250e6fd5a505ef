/** Checking settings without a library: each cold start reads them, and building a schema took longer than a whole idle tick should. */
import { BadSettings } from '../errors.ts';

/** @param rule the rest of a sentence; never the value, which may be a secret. @throws BadSettings */
export function must(holds: boolean, name: string, rule: string): asserts holds {
  if (!holds) throw new BadSettings(`${name}: must be ${rule}`);
}

/** Reads all of them, whatever is wrong with the first. @throws BadSettings that names everything that is wrong, once */
export function readEach<Item, Value>(items: readonly Item[], read: (item: Item, index: number) => Value): Value[] {
  const faults: string[] = [];
  const values = items.flatMap((item, index) => {
    try {
      return [read(item, index)];
    } catch (error) {
      if (!(error instanceof BadSettings)) throw error;
      faults.push(error.message);
      return [];
    }
  });
  if (faults.length > 0) throw new BadSettings([...new Set(faults)].join('; '));
  return values;
}

export const isText = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value);
export const isHttpUrl = (value: unknown): boolean => isText(/^https?:/i)(value) && URL.canParse(value as string);

/** A variable may be JSON by itself. @throws BadSettings */
export function parseJson(value: unknown, name: string, rule: string): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    must(false, name, rule);
  }
}
