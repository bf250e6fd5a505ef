/**
 * How many commands the service would have billed, by Redis' own statistics.
 *
 * Each command counts, and so does each one a script calls: INFO commandstats
 * has both.
 */
import type { Redis } from 'ioredis';
import { isFree } from './commands.ts';

/** Summed over the nodes given. Rejects when one of them is away. */
export async function commandStats(nodes: Redis[]): Promise<number> {
  const infos = await Promise.all(nodes.map((node) => node.info('commandstats')));
  return infos.reduce((sum, info) => sum + billableCalls(info), 0);
}

/** Lines such as `cmdstat_script|load:calls=2,usec=9,..`. */
function billableCalls(info: string): number {
  let calls = 0;
  for (const [, name = '', count = '0'] of info.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm)) {
    if (!isFree(name)) calls += Number(count);
  }
  return calls;
}
