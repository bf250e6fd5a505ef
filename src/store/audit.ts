/** Auditing: keys against the invariants, a bounded number at a time. */

import * as scripts from '../redis/lua/generated.ts';
import { digits, type Flag } from '../redis/lua/script.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import { commonArgs, type Shard } from '../redis/shard.ts';
import type { Definitions } from './definitions.ts';

/** A store, for what only operators do: a deployment without it has neither its code nor its script. */
export interface Askable {
  ask<Answer>(question: (shard: Shard, definitions: Definitions) => Answer): Answer;
}

export interface Finding {
  finding: string;
  name: string;
  /** Left out where there is one. */
  shard?: string;
  /** What a queue that only storage knows holds. */
  messages?: number;
}

/** What an audit could not judge, because too much is at work: the counts of slots, or envelopes that are in no list. */
export type AuditGap = 'counts' | 'envelopes';

export interface AuditPage {
  cursor: string;
  findings: Finding[];
  incomplete: AuditGap[];
}

/** Keys of one step. A deep one may read all leases, for all of its keys at once. */
export const AUDIT_KEYS = 200;
const DEEP_KEYS = 1_000;

/**
 * One bounded step; the cursor '0' begins and ends it. A deep one looks for the entry of each envelope too; a
 * whole one that was not deep has to go before it, because it takes what a lease without a timer holds for lost.
 * @throws StorageError
 */
export async function audit(store: Askable, cursor: string, repair: boolean, deep = false): Promise<AuditPage> {
  const flag = (set: boolean): Flag => (set ? '1' : '0');
  const step = [cursor, digits(deep ? DEEP_KEYS : AUDIT_KEYS), flag(repair), flag(deep)] as const;
  const { reply } = await store.ask((shard, definitions) =>
    definitions.run(shard, ({ policies, pools, kept }) => {
      const { keys } = shard;
      return shard.run(
        scripts.audit,
        [keys.timers, keys.stats, ...kept],
        [...commonArgs(shard), ...step, policies, pools],
      );
    }),
  );
  const [next, found, incomplete] = list(reply);
  return { cursor: String(next), findings: parseFindings(found), incomplete: strings(incomplete) as AuditGap[] };
}

export const parseFindings = (found: unknown): Finding[] =>
  pairs(strings(found)).map(([finding, name]) => ({ finding, name }));
