/** What an operator does to messages: cancel, look, browse, redrive, purge. */
import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, strings } from '../redis/reply.ts';
import type { AdminCall } from './admin-call.ts';
import { type Failure, parseFailure, parseScore } from './failure.ts';

/** Where a cancelled message was. `unseen`: ready or leased, in a lane too long to tell. */
export type Cancelled = 'ready' | 'delayed' | 'dead' | 'leased' | 'unseen' | 'gone';

export type Redriven = 'redriven' | 'gone' | 'missing';

export type State = 'ready' | 'delayed' | 'leased' | 'dead';

/** A message as it is stored. */
export interface Stored {
  entry: string;
  /** Due, end of its lease, or dead since: epoch ms. */
  at?: number;
  envelope: string;
  failures: Failure[];
}

/** What is kept of an acked message. */
export interface Result {
  queue: string;
  attempt: number;
  /** Epoch ms. */
  at: number;
  /** What its handler, or its consumer, gave. */
  json: string;
}

export interface MessageAdmin {
  /** A message is never given out again. @throws StorageError */
  cancel(id: string): Promise<Cancelled>;
  /**
   * Dead letters back to their lanes: 1 to 200 ids.
   * @param pool of the queue as it is defined now; left out, of each message as it was stored
   * @throws StorageError
   */
  redrive(queue: string, ids: string[], pool?: string): Promise<Redriven[]>;
  /** @throws StorageError */
  look(id: string): Promise<{ state: State | 'cancelled' | 'unseen' | 'gone'; result?: Result } & Stored>;
  /** One page; the cursor '' begins and ends. Without bodies it is never cut short by their size. @throws StorageError */
  browse(
    queue: string,
    state: State,
    limit: number,
    cursor: string,
    bodies?: boolean,
  ): Promise<{ cursor: string; messages: Stored[] }>;
  /** One bounded step; the cursor '0' begins. @throws StorageError */
  purge(
    queue: string,
    states: Exclude<State, 'leased'>[],
    cursor: string,
  ): Promise<{ purged: number; cursor: string; more: boolean }>;
}

const PURGE_STEP = 1_000;
/** Calls that look for the consumer of a cancelled message, each among 10,000 leases, or messages in them. */
const TELLING_STEPS = 20;
/** A page is looked for in so many calls where others than those of its queue wait and are held. */
const EMPTY_STEPS = 10;
/** Among the dead letters under this name are those that their own queue could not keep. */
const NOBODYS = '-';
/** Of a page's envelopes: hosted Redis refuses replies of 10 MB. */
const PAGE_BYTES = 4_000_000;

export function openMessageAdmin({ keys, run, now, onWork }: AdminCall): MessageAdmin {
  return {
    async cancel(id) {
      const declared = [keys.message(id), keys.failures(id), keys.callbacks(id)];
      const call = async (from: string) =>
        strings(await run(scripts.cancel, [keys.timers, ...declared], [keys.root, id, from]));
      const [was, work, next = ''] = await call('');
      if (work === '1') onWork?.();
      let at = next;
      for (let steps = 1; at !== '' && steps < TELLING_STEPS; steps++) at = (await call(at))[2] ?? '';
      return was as Cancelled;
    },
    async redrive(queue, ids, pool = '') {
      const reply = await run(
        scripts.redrive,
        [keys.timers, keys.dead(queue), keys.dead(NOBODYS), ...ids.map(keys.message), ...ids.map(keys.failures)],
        [keys.root, now(), queue, pool, ...ids],
      );
      return strings(reply) as Redriven[];
    },
    async look(id) {
      const declared = [keys.message(id), keys.failures(id), keys.result(id)];
      const reply = await run(scripts.getMessage, [keys.timers, ...declared], [keys.root, id]);
      const [state, entry, at, envelope, failures, result] = strings(reply) as [State, ...string[]];
      const [, queue = '', attempt, acked, json] = /^(\S+) (\d+) (\d+) (.*)$/s.exec(result ?? '') ?? [];
      const kept = json === undefined ? {} : { result: { queue, attempt: Number(attempt), at: Number(acked), json } };
      return { state, ...parseStored([entry ?? '', at ?? '', envelope ?? '', failures ?? '']), ...kept };
    },
    async browse(queue, state, limit, cursor, bodies = true) {
      const bytes = digits(bodies ? PAGE_BYTES : 0);
      for (let at = cursor, steps = 1; ; steps++) {
        const asked: [string, string, State] = [keys.root, queue, state];
        const reply = await run(scripts.listMessages, [keys.timers], [...asked, digits(limit), at, bytes, '0']);
        const [next, fields] = list(reply);
        const flat = strings(fields);
        const messages = Array.from({ length: flat.length / 4 }, (_, i) => parseStored(flat.slice(4 * i, 4 * i + 4)));
        at = String(next);
        if (messages.length > 0 || at === '' || steps === EMPTY_STEPS) return { cursor: at, messages };
      }
    },
    async purge(queue, states, cursor) {
      const reply = await run(
        scripts.purge,
        [keys.timers],
        [keys.root, queue, digits(PURGE_STEP), states.join(' '), cursor],
      );
      const [purged, next, more, work] = strings(reply);
      if (work === '1') onWork?.();
      return { purged: Number(purged), cursor: String(next), more: more === '1' };
    },
  };
}

function parseStored([entry = '', at = '', envelope = '', failures = '']: string[]): Stored {
  return {
    entry,
    ...(at === '' ? {} : { at: parseScore(at) }),
    envelope,
    failures: failures === '' ? [] : failures.split('\n').map(parseFailure),
  };
}
