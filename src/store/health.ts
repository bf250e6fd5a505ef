/** Health: whether the storage can be trusted with messages. Cheap enough to be asked by anybody, because it remembers. */
import type { Send } from './client.ts';
import { keysOf } from './keys.ts';

export interface Health {
  status: 'ok' | 'unsafe';
  /** What an operator should change, a sentence each. */
  warnings: string[];
}

/** How long an answer serves: so long, whoever asks and how often, one billed command. */
const REMEMBERED_MS = 10_000;

const EVICTION =
  'eviction is on: Redis may drop messages and leases when memory is short. Turn it off (maxmemory-policy noeviction).';

/**
 * @returns a function that checks that storage answers, that the token may write, and that eviction is off; it throws
 * StorageError where it does not answer or may not write
 */
export function healthCheck(send: Send, prefix: string, clock: () => number = Date.now): () => Promise<Health> {
  const nothing = `${keysOf(prefix).root}health`;
  let remembered: { health: Health; until: number } | undefined;
  return async () => {
    if (remembered && remembered.until > clock()) return remembered.health;
    await send(['UNLINK', nothing]); // a write that changes nothing: a read-only token or a replica refuses it
    const warnings = (await policy(send)).startsWith('noeviction') ? [] : [EVICTION];
    const health: Health = { status: warnings.length > 0 ? 'unsafe' : 'ok', warnings };
    remembered = { health, until: clock() + REMEMBERED_MS };
    return health;
  };
}

/** The eviction policy; 'noeviction' where the service does not tell, as Upstash, which has it off unless it is asked for. */
async function policy(send: Send): Promise<string> {
  const info = await send(['INFO', 'memory']).catch(() => '');
  return /maxmemory_policy:(\S+)/.exec(String(info))?.[1] ?? 'noeviction';
}
