/** Counters of a shard that goes: another adds them to its own, so that what is told of all of them together never shrinks. */
import { strings } from '../redis/reply.ts';
import type { Shard } from '../redis/shard.ts';
import type { Moving } from '../store/moving.ts';
import type { MovingOptions } from './evacuate.ts';
import { isActive } from './map.ts';
import { sendAway } from './sending.ts';

/** As many as adopt.lua takes at once. */
const LINES = 200;
const FIELDS = 100;
/** Of counters since ever it is not known when: as lines they are older than all steps that are kept. */
const LONG_AGO = '0';
/** What sweeps note beside the counters begins with none of these. */
const COUNTED = /^([A-Za-z0-9]|-$|>$)/;

/** @throws StorageError */
export async function moveCounts({ fleet, isClosing }: MovingOptions, shard: Shard): Promise<void> {
  const heir = fleet.topology.map.shards.find((one) => isActive(one) && one.name !== shard.identity.name);
  if (!heir) return;
  const send = async (moving: Moving | undefined): Promise<boolean> => {
    if (!moving || isClosing()) return false;
    return (await sendAway(fleet, shard, [{ to: heir.name, moving }])) > 0;
  };
  while (await send(await readLines(shard)));
  while (await send(await readTotals(shard)));
  while (await send(await readSources(shard)));
}

async function readLines({ send, keys }: Shard): Promise<Moving | undefined> {
  const lines = strings(await send(['LRANGE', keys.stats, '0', String(LINES - 1)])).join('\n');
  return lines === '' ? undefined : { claim: ['l', lines], moved: ['l', lines] };
}

async function readTotals(shard: Shard): Promise<Moving | undefined> {
  const fields = await readFields(shard, shard.keys.totals, COUNTED);
  if (fields.length === 0) return undefined;
  const lines = fields.map(([queue, text]) => `${LONG_AGO} ${queue} ${text}`).join('\n');
  return { claim: fields.flatMap((field) => ['f', ...field]), moved: ['l', lines] };
}

async function readSources(shard: Shard): Promise<Moving | undefined> {
  const fields = await readFields(shard, shard.keys.sources, /./);
  if (fields.length === 0) return undefined;
  return { claim: fields.flatMap((field) => ['c', ...field]), moved: ['c', String(fields.length), ...fields.flat()] };
}

async function readFields({ send }: Shard, key: string, isWanted: RegExp): Promise<[string, string][]> {
  const flat = strings(await send(['HGETALL', key]));
  const fields: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) {
    if (isWanted.test(flat[i] as string)) fields.push([flat[i] as string, flat[i + 1] as string]);
  }
  return fields.slice(0, FIELDS);
}
