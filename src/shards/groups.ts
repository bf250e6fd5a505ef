/** The groups of a queue of which a shard has anything that is ready, delayed or leased. */
import { parseLane } from '../message/lane.ts';
import type { Shard } from '../redis/shard.ts';
import { openAdminStore } from '../store/admin.ts';

/** Members of a sorted set that one command looks at. */
const STEP = '1000';
/** Leased messages of one page. */
const PAGE = 1_000;

/** @returns '' for what has no group @throws StorageError */
export async function groupsOn(shard: Shard, queue: string): Promise<Set<string>> {
  const { keys } = shard;
  const groups = new Set<string>();
  const add = (lane: string) => {
    const parsed = parseLane(lane);
    if (parsed.queue === queue) groups.add(parsed.group ?? '');
  };
  for (const index of [keys.ready('*'), keys.ready(queue), keys.blocked(queue)]) {
    for (const lane of await scanMembers(shard, index, `?:${queue}*`)) add(lane);
  }
  const overflow = await scanMembers(shard, keys.timers, '+ *');
  for (const record of ['', ...overflow.map((marker) => `:${marker.slice(2)}`)]) {
    for (const member of await scanMembers(shard, `${keys.timers}${record}`, `? * ?:${queue}*`)) {
      const [, lane] = /^[mh] \S+ (\d:\S+) \S+$/.exec(member) ?? [];
      if (lane) add(lane);
    }
  }
  const store = openAdminStore(shard);
  for (let cursor = ''; ; ) {
    const page = await store.browse(queue, 'leased', PAGE, cursor);
    for (const { envelope } of page.messages) if (envelope !== '') add(envelope.slice(0, envelope.indexOf(' ')));
    cursor = page.cursor;
    if (cursor === '') return groups;
  }
}

async function scanMembers({ send }: Shard, key: string, pattern: string): Promise<string[]> {
  const members: string[] = [];
  let cursor = '0';
  do {
    const [next, page] = (await send(['ZSCAN', key, cursor, 'MATCH', pattern, 'COUNT', STEP])) as [string, string[]];
    for (let i = 0; i < page.length; i += 2) members.push(page[i] as string);
    cursor = String(next);
  } while (cursor !== '0');
  return members;
}
