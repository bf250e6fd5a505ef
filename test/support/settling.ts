// To the end of a test's story: what is at rest is audited, what is left is delivered, and every id is accounted for.

import { audit } from '../../src/store/audit.ts';
import type { Store } from '../../src/store/store.ts';
import type { Bench } from './bench.ts';
import { nextFiring } from './shard.ts';

/** All pages of the audit. @returns what it found, sorted */
export async function auditAll(store: Store, repair = true, deep = false): Promise<string[]> {
  const findings: string[] = [];
  let cursor = '0';
  do {
    const page = await audit(store, cursor, repair, deep);
    findings.push(...page.findings.map(({ finding, name }) => `${finding} ${name}`));
    cursor = page.cursor;
  } while (cursor !== '0');
  return findings.toSorted();
}

export async function sweepAll(store: Store): Promise<void> {
  while ((await store.sweep('*')).fired > 0);
}

/** Where each id ended. */
export interface Ends {
  /** How often each was given out, by entry. */
  given: Map<string, number>;
  acked: Set<string>;
  dead: Set<string>;
}

/** Lets time pass on the scripts' clock until nothing waits, takes all there is and acks it. */
export async function deliverAll(b: Bench, lease = 'last'): Promise<Ends> {
  const given = new Map<string, number>();
  const acked = new Set<string>();
  for (let round = 0, idle = 0; idle < 2; round += 1) {
    if (round > 200) throw new Error('it does not come to rest');
    await sweepAll(b.store);
    const entries = await b.take(500, `${lease}${round}`);
    for (const entry of entries) given.set(entry, (given.get(entry) ?? 0) + 1);
    if (entries.length > 0) {
      // With a result, however little: only then storage reads what follows on a message.
      const settlements = entries.map((entry) => ({ entry, outcome: 'ack' as const, result: 'null' }));
      const { statuses } = await b.sync({ lease: `${lease}${round}`, settlements });
      statuses.forEach((status, i) => {
        if (status === 'acked') acked.add(idOf(entries[i] ?? ''));
      });
      continue;
    }
    const next = nextFiring(await b.shard());
    if (next < Number.POSITIVE_INFINITY) b.now = Math.max(b.now, next);
    else idle += 1;
  }
  const { dead } = await b.shard();
  return { given, acked, dead: new Set(Object.values(dead).flatMap((letters) => Object.keys(letters).map(idOf))) };
}

export const idOf = (entry: string) => entry.slice(entry.indexOf('.') + 1);
