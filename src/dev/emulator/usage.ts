/**
 * How much of the service a Redis has used: commands as it would have billed them, and bytes.
 *
 * Each command counts, and so does each one a script calls: INFO commandstats has both. Bytes are those of the data, without what
 * Redis needs for itself and its clients. How the service counts them is not known.
 */
import type { Redis } from 'ioredis';
import { isFree } from './commands.ts';

export interface Usage {
  commands: number;
  bytes: number;
}

/** Summed over the nodes given. Rejects when one of them is away. */
export async function usageOf(nodes: Redis[]): Promise<Usage> {
  const infos = await Promise.all(nodes.map((node) => Promise.all([node.info('commandstats'), node.info('memory')])));
  return {
    commands: sum(infos.map(([stats]) => billableCalls(stats))),
    bytes: sum(infos.map(([, memory]) => Number(/^used_memory_dataset:(\d+)/m.exec(memory)?.[1] ?? 0))),
  };
}

const sum = (figures: number[]) => figures.reduce((total, figure) => total + figure, 0);

/** Lines such as `cmdstat_script|load:calls=2,usec=9,..`. */
function billableCalls(info: string): number {
  let calls = 0;
  for (const [, name = '', count = '0'] of info.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm)) {
    if (!isFree(name)) calls += Number(count);
  }
  return calls;
}
