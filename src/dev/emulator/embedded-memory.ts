/** MEMORY USAGE for the embedded Redis, which has none, and how much all of its data takes: estimates by the first elements, as Redis'. */
import { type CommandDefinition, defineCommand, RedisResult, type RedisServerState, t } from 'js-redis-server/core';

type Database = RedisServerState['databases'][number];
type Data = NonNullable<ReturnType<Database['get']>>;

export const memoryCommand: CommandDefinition<Buffer> = defineCommand({
  name: 'memory',
  schema: t.custom((input: readonly Buffer[], index: number) => ({
    value: input[index + 1] ?? Buffer.alloc(0), // behind USAGE: the emulator lets nothing else through
    nextIndex: input.length,
  })),
  flags: ['readonly'],
  keys: (key: Buffer) => [key],
  execute: (key: Buffer, { db }: { db: Database }) => {
    const data = db.get(key);
    return data ? RedisResult.create({ kind: 'integer', value: bytesOf(key, data) }) : RedisResult.nil();
  },
});

/** Of all keys: those that changed are measured when somebody asks. */
export function watchBytes(database: Database): () => number {
  const sizes = new Map<string, number>();
  const changed = new Set<string>();
  let total = 0;
  const measure = (key: string, size: number) => {
    total += size - (sizes.get(key) ?? 0);
    if (size === 0) sizes.delete(key);
    else sizes.set(key, size);
  };
  database.subscribe((event) => {
    if (event.type !== 'flush') return void changed.add(event.key.toString('latin1'));
    sizes.clear();
    changed.clear();
    total = 0;
  });
  return () => {
    for (const name of changed) {
      const key = Buffer.from(name, 'latin1');
      const data = database.get(key);
      measure(name, data ? bytesOf(key, data) : 0);
    }
    changed.clear();
    return total;
  };
}

const PER_KEY = 56;
const PER_ELEMENT = 16;
const SAMPLES = 5;

function bytesOf(key: Buffer, data: Data): number {
  return PER_KEY + key.length + bytesIn(data);
}

function bytesIn(data: Data): number {
  switch (data.type) {
    case 'string':
      return data.value.length;
    case 'list':
      return estimate(data.values.length, data.values, (value) => value.length);
    case 'set':
      return estimate(data.members.size, data.members.values(), (member) => member.length);
    case 'zset':
      return estimate(data.members.size, data.members.values(), ({ member }) => member.length + 8);
    case 'hash':
      return estimate(data.fields.size, data.fields.values(), ({ field, value }) => field.length + value.length);
    case 'stream':
      return estimate(data.entries.length, data.entries, ({ fields }) => Buffer.concat(fields).length);
  }
}

function estimate<Element>(count: number, elements: Iterable<Element>, bytes: (element: Element) => number): number {
  let sampled = 0;
  let sum = 0;
  for (const element of elements) {
    if (sampled === SAMPLES) break;
    sampled += 1;
    sum += bytes(element) + PER_ELEMENT;
  }
  return sampled === 0 ? 0 : Math.round((sum / sampled) * count);
}
