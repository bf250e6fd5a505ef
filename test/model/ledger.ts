// What callers know of their messages, and what must hold whatever the store decides: each message is somewhere until it was
// acked, cancelled or purged, is given out to one at a time, and dies only of a cause. It predicts no order and no turn.
import { parseEntry } from '../../src/message/ids.ts';
import type { Status } from '../../src/store/encode-settlements.ts';
import type { Shard } from '../support/shard.ts';

export interface Callback {
  on: 'done' | 'dead';
  delayMs: number;
}

export interface Kept {
  json: string;
  callbacks: Callback[];
  dedup?: { key: string; release: boolean } | undefined;
  /** Who was given it last and has not settled it. */
  out?: { entry: string; lease: string } | undefined;
  /** The last attempt that was given out, and whether it may come again. */
  attempt: number;
  comesAgain: boolean;
  /** Its consumer settled it as dead. */
  condemned: boolean;
}

export interface Admitted extends Pick<Kept, 'json' | 'dedup'> {
  delayMs: number;
  callbacks?: Callback[] | undefined;
}

export type Ended = 'acked' | 'cancelled' | 'purged';

export class Ledger {
  readonly alive = new Map<string, Kept>();
  readonly ended = new Map<string, Ended>();
  /** Dedup key, as it is stored, to id. */
  readonly dedups = new Map<string, string>();
  /** Lease to its expiry, epoch ms. */
  readonly expiries = new Map<string, number>();
  /** Ids that wait out of order on purpose. */
  readonly unordered = new Set<string>();
  /** Dead letters as they were seen last. */
  #dead = new Map<string, string>();
  /** What went wrong since it was asked. */
  #faults: string[] = [];

  admit(id: string, { json, delayMs, callbacks = [], dedup }: Admitted): void {
    this.alive.set(id, { json, callbacks, dedup, attempt: 0, comesAgain: false, condemned: false });
    if (dedup) this.dedups.set(dedup.key, id);
    if (delayMs > 0) this.unordered.add(id);
  }

  /** A new message took the place of one that waits: its body, or all of it. */
  replaced(id: string, json: string, whole?: { callbacks: Callback[]; dedup: Kept['dedup'] }): void {
    Object.assign(this.#keptOf(id, 'replaced') ?? {}, { json }, whole && { ...whole, attempt: 0 });
    this.unordered.add(id);
  }

  #keptOf(id: string, what: string): Kept | undefined {
    if (!this.alive.has(id)) this.#fault(`${id} was ${what} after it was ${this.ended.get(id) ?? 'never there'}`);
    return this.alive.get(id);
  }

  /** A consumer has these in hand now. */
  given(taken: { entry: string; envelope: string }[], lease: string, now: number): void {
    for (const { entry, envelope } of taken) {
      const { id, attempt } = parseEntry(entry);
      const kept = this.#keptOf(id, 'given out');
      if (!kept) continue;
      const { out } = kept;
      const isStillOut = out && (this.expiries.get(out.lease) ?? 0) > now;
      if (isStillOut) this.#fault(`${entry} was given to ${lease} while ${out.lease} has ${out.entry}`);
      if (attempt < kept.attempt || (attempt === kept.attempt && !kept.comesAgain)) {
        this.#fault(`${entry} was given to ${lease} after attempt ${kept.attempt}`);
      }
      const json = envelope.slice(envelope.indexOf('\n') + 1);
      if (json !== kept.json) this.#fault(`${entry} was given out with ${json} instead of ${kept.json}`);
      Object.assign(kept, { out: { entry, lease }, attempt, comesAgain: false });
    }
  }

  /** The lease lasts until then; it expires with the whole ms. */
  extended(lease: string, until: number): void {
    this.expiries.set(lease, Math.floor(until));
  }

  /** What the store says became of one entry that was settled under a lease. */
  settled(entry: string, lease: string, status: Status, now: number): void {
    const { id } = parseEntry(entry);
    const kept = this.alive.get(id);
    const isHolder = kept?.out?.entry === entry && kept.out.lease === lease;
    const isRefused = status === 'stale' || status === 'gone';
    if (isRefused && isHolder && (this.expiries.get(lease) ?? 0) > now) {
      this.#fault(`${entry} is ${status}, although ${lease} holds it`);
    }
    if (isRefused && isHolder) kept.out = undefined; // its lease was swept
    if (isRefused || (status === 'released' && kept?.comesAgain)) return; // taken again as it was released, and so released again
    if (!isHolder) {
      this.#fault(`${entry} was ${status} by ${lease}, which does not hold it`);
      return;
    }
    kept.out = undefined;
    if (status === 'acked') this.#ack(id, kept);
    if (status === 'released') {
      kept.comesAgain = true;
      this.unordered.add(id);
    }
    if (status === 'dead') kept.condemned = true;
  }

  #ack(id: string, kept: Kept): void {
    this.end(id, 'acked');
    if (kept.dedup?.release) this.#endDedup(id, kept);
    this.#follow(id, kept, 'done', '');
  }

  /** The message is not there any more, and has left nothing. */
  end(id: string, how: Ended): void {
    const kept = this.alive.get(id);
    if (kept && how !== 'acked') this.#endDedup(id, kept);
    this.alive.delete(id);
    this.ended.set(id, how);
  }

  redriven(id: string): void {
    Object.assign(this.#keptOf(id, 'redriven') ?? {}, { attempt: 0, condemned: false });
    this.#dead.delete(id);
  }

  #endDedup(id: string, { dedup }: Kept): void {
    if (dedup && this.dedups.get(dedup.key) === id) this.dedups.delete(dedup.key);
  }

  #follow(id: string, kept: Kept, on: 'done' | 'dead', name: string): void {
    kept.callbacks.forEach((callback, i) => {
      if (callback.on === on) {
        this.admit(`${id}-${on}${i + 1}${name}`, { json: callbackJson(on), delayMs: callback.delayMs });
      }
    });
  }

  /** Goes through what the shard holds after a step. @returns what is wrong */
  judge(shard: Shard): string[] {
    const faults = this.#faults;
    this.#faults = [];
    const lists = Object.keys(shard.rest).filter((name) => name.startsWith('callbacks:'));
    const followed = [...this.alive]
      .filter(([, { callbacks }]) => callbacks.length > 0)
      .map(([id]) => `callbacks:${id}`);
    return [
      ...faults,
      ...lists.filter((name) => !followed.includes(name)).map((name) => `${name} is left`),
      ...followed.filter((name) => !lists.includes(name)).map((name) => `${name} is missing`),
      ...this.#misplacedDedups(shard),
      ...Object.keys(shard.timers)
        .filter((member) => member.startsWith('l ') && !shard.leases[member.slice(2)])
        .map((member) => `the timer ${member} has no lease`),
    ];
  }

  #misplacedDedups({ rest }: Shard): string[] {
    const stored = Object.entries(rest).filter(([name]) => name.startsWith('dedup:'));
    const names = new Set([...this.dedups.keys(), ...stored.map(([name]) => name.slice('dedup:'.length))]);
    return [...names].flatMap((name) => {
      const is = rest[`dedup:${name}`] ?? 'nobody';
      const should = this.dedups.get(name) ?? 'nobody';
      return is === should ? [] : [`the key ${name} is that of ${is} instead of ${should}`];
    });
  }

  /** Goes through the dead letters after a call: what follows on a death is there from then on. */
  noteDeaths(shard: Shard, now: number): void {
    const dead = new Map<string, string>();
    for (const [queue, letters] of Object.entries(shard.dead)) {
      for (const [entry, at] of Object.entries(letters)) dead.set(parseEntry(entry).id, `${queue} ${entry} ${at}`);
    }
    for (const [id, letter] of dead) {
      const kept = this.alive.get(id);
      if (!kept || this.#dead.get(id) === letter) continue;
      const fault = causeless(kept, shard.envelopes[id] ?? '', shard.failures[id] ?? '', now);
      if (fault) this.#fault(`${letter} is dead, and ${fault}`);
      Object.assign(kept, { out: undefined, condemned: false });
      if (kept.dedup?.release) this.#endDedup(id, kept);
      this.#follow(id, kept, 'dead', `-${Math.floor(now)}`);
    }
    this.#dead = dead;
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }
}

export const callbackJson = (on: 'done' | 'dead') => JSON.stringify({ body: `follows on ${on}` });

/** @returns what is wrong with a death, if anything */
function causeless(kept: Kept, envelope: string, failures: string, now: number): string | undefined {
  const [, , most, , expires] = envelope.slice(0, envelope.indexOf('\n')).split(' ').map(Number);
  const [, attempt, kind = 'nothing'] = /^(\d+) \d+ (\S+) .*$/.exec(failures.split('\n').at(-1) ?? '') ?? [];
  if (kind === 'failed') return kept.condemned ? undefined : 'nobody let it die';
  if (kind === 'lease_expired') return Number(attempt) >= (most ?? 0) ? undefined : 'it has attempts left';
  if (kind === 'expired') return expires && expires <= now ? undefined : 'it has time left';
  return `${kind} is no cause`;
}
