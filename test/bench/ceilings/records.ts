/** The largest records of a Redis: what grows with a backlog shows here, before hosted Redis refuses it. */
import type { Redis } from 'ioredis';

export interface Record {
  key: string;
  bytes: number;
}

/** Strings, of which there are millions, are looked at on the way: each page shows its largest. */
const LOOK = `
local page = redis.call('SCAN', ARGV[1], 'COUNT', 5000)
local found, most, longest = {}, 0, nil
for _, key in ipairs(page[2]) do
  if redis.call('TYPE', key).ok == 'string' then
    local length = redis.call('STRLEN', key)
    if length > most then most, longest = length, key end
  else
    found[#found + 1] = key
  end
end
if longest then found[#found + 1] = longest end
local sizes = {}
for i, key in ipairs(found) do sizes[i] = redis.call('MEMORY', 'USAGE', key, 'SAMPLES', 20) or 0 end
return { page[1], found, sizes }`;

/** @returns the largest, the largest first */
export async function largestRecords(raw: Redis, count: number): Promise<Record[]> {
  let largest: Record[] = [];
  let cursor = '0';
  do {
    const [next, keys, sizes] = (await raw.eval(LOOK, 0, cursor)) as [string, string[], number[]];
    const found = keys.map((key, i) => ({ key, bytes: sizes[i] ?? 0 }));
    largest = [...largest, ...found].toSorted((a, b) => b.bytes - a.bytes).slice(0, count);
    cursor = next;
  } while (cursor !== '0');
  return largest;
}
