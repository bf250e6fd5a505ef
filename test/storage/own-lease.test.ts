// A sync that comes when its lease is over, which nobody has given back yet: what it says of its messages counts, whatever storage refuses.
import { expect, test } from 'vitest';
import type { Refusal } from '../../src/dev/emulator/refusals.ts';
import type { Outcome } from '../../src/store/encode-settlements.ts';
import { onEachRedis } from '../support/bench.ts';
import { type Scenario, syncs, tryAll, type Undisturbed } from '../support/refusing.ts';

/** Some in a row: where a lane takes nothing what is due may wait in timers still, so one alone is no refusal. */
const inRows = ({ writes }: Undisturbed) =>
  writes.flatMap((write, i) =>
    [2, 3, 4].map((times): [string, Refusal] => [`${times} from ${i + 1}. ${write}`, { from: i + 1, times }]),
  );

const said: [Outcome, maxAttempts: number][] = [
  ['ack', 1],
  ['ack', 2],
  ['retry', 1],
  ['retry', 2],
  ['dead', 2],
  ['release', 2],
];

onEachRedis(
  'a sync whose lease is over, as another timer is due',
  (bench) => {
    test.each(said)('and that says %s, of %i attempts: its messages are in one place', async (outcome, maxAttempts) => {
      const names = ['a', 'b', 'c'];
      const scenario: Scenario = {
        name: outcome,
        prepare: async (b) => {
          await b.enqueue(b.message('news', 'due', { delayMs: 1_000 }));
          for (const id of await b.enqueue(...names.map((name) => b.message('mail', name, { maxAttempts })))) {
            b.unordered.add(id);
          }
          await b.take(names.length);
          b.now += 30_000;
        },
        call: syncs({ held: 1, settle: names.slice(0, 2).map((name) => [name, outcome]) }),
        later: true,
      };
      expect(await tryAll(bench().redises, scenario, inRows)).toEqual([]);
    });
  },
  ['redis-server'],
);
