/**
 * Leasings: each message's way from lease to lease, and why it was given out again.
 *
 * Pure. A message is given out once; each further time needs a cause that came before it, and a settlement counts only
 * from the consumer that holds the message.
 */
import { parseEntry } from '../../src/message/ids.ts';
import type { SettledEntry } from './history.ts';

/** Why a message was given out again. */
export type Cause = 'lapse' | 'cut off' | 'retry' | 'release' | 'redrive';

export type LeasingFault = 'unexplainedDuplicates' | 'doubleAcks' | 'unfenced' | 'early';

interface Life {
  attempt: number;
  lease: string;
  state: 'waiting' | 'leased' | 'ended';
  acked: boolean;
  /** Waiting: why, and not to be given out before this instant. */
  cause: Cause | undefined;
  dueAt: number;
  /** By attempt: how many deliveries its leasings still allow, and the cause of the last. */
  allowed: number[];
  causes: (Cause | undefined)[];
}

export interface Leasings {
  leased(entry: string, lease: string, at: number): void;
  settled(settled: SettledEntry, lease: string, at: number): void;
  lapsed(lapse: { lease: string; entries: string[]; at: number; extendedAt: number; leaseMs: number }): void;
  redriven(id: string): void;
  /** @returns why the message was given out again, if it was */
  delivered(id: string, attempt: number): Cause | undefined;
  /** Acked, or a dead letter by settlement. */
  hasEnded(id: string): boolean;
}

/** The emulator's clock and Redis' are the same, read a moment apart and cut to whole ms. */
const TOLERANCE_MS = 2;

/** @param readyAt when a message may be given out first, epoch ms */
export function followLeasings(
  blame: (fault: LeasingFault, id: string) => void,
  readyAt: (id: string) => number,
): Leasings {
  const lives = new Map<string, Life>();

  const holds = (life: Life | undefined, attempt: number, lease: string): life is Life =>
    life?.state === 'leased' && life.attempt === attempt && life.lease === lease;

  function wait(life: Life, attempt: number, cause: Cause, dueAt: number): void {
    Object.assign(life, { state: 'waiting', attempt, cause, dueAt });
  }

  return {
    leased(entry, lease, at) {
      const { attempt, id } = parseEntry(entry);
      const life = lives.get(id) ?? newLife(readyAt(id));
      lives.set(id, life);
      if (life.state !== 'waiting' || life.attempt !== attempt) blame('unexplainedDuplicates', id);
      else if (at < life.dueAt - TOLERANCE_MS) blame('early', id);
      life.allowed[attempt] = (life.allowed[attempt] ?? 0) + 1;
      life.causes[attempt] = life.cause;
      Object.assign(life, { state: 'leased', attempt, lease, cause: undefined });
    },

    settled({ entry, status, delayMs, cutOff }, lease, at) {
      if (status === 'stale' || status === 'gone' || status === 'refused') return;
      const { attempt, id } = parseEntry(entry);
      const life = lives.get(id);
      if (status === 'acked' && life?.acked) return blame('doubleAcks', id);
      if (!holds(life, attempt, lease)) blame('unfenced', id);
      if (!life) return;
      if (status === 'retried') return wait(life, attempt + 1, cutOff ? 'cut off' : 'retry', at + delayMs);
      if (status === 'released') return wait(life, attempt, 'release', at + delayMs);
      life.state = 'ended';
      life.acked = status === 'acked';
    },

    lapsed({ lease, entries, at, extendedAt, leaseMs }) {
      if (at - extendedAt < leaseMs - TOLERANCE_MS) return; // given back before its time: that explains nothing
      for (const entry of entries) {
        const { attempt, id } = parseEntry(entry);
        const life = lives.get(id);
        if (holds(life, attempt, lease)) wait(life, attempt + 1, 'lapse', 0);
      }
    },

    redriven(id) {
      const life = lives.get(id);
      if (life) wait(life, 1, 'redrive', 0);
    },

    delivered(id, attempt) {
      const life = lives.get(id);
      const allowed = life?.allowed[attempt] ?? 0;
      if (!life || allowed === 0) {
        blame('unexplainedDuplicates', id);
        return undefined;
      }
      life.allowed[attempt] = allowed - 1;
      return life.causes[attempt] ?? life.causes.findLast((cause) => cause !== undefined);
    },

    hasEnded: (id) => lives.get(id)?.state === 'ended',
  };
}

function newLife(dueAt: number): Life {
  const state = 'waiting';
  return { attempt: 1, lease: '', state, acked: false, cause: undefined, dueAt, allowed: [], causes: [] };
}
