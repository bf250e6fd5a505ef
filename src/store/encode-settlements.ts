/** Settlements on their way out, as settle.lua reads them. Pure. */
import { KEPT_LENGTH } from '../formats/thrown.ts';
import type { NewMessage } from '../message/envelope.ts';
import { encodeSegments } from './encode-messages.ts';
import { type Measurement, measuredText } from './measured.ts';

export type Outcome = 'ack' | 'retry' | 'dead' | 'release';

/**
 * What became of a message: stale where its lease was lost and it lives on elsewhere, gone where it no longer exists, refused
 * where storage took none of it: the message is held as before, and may be settled again.
 */
export type Status = 'acked' | 'retried' | 'dead' | 'released' | 'stale' | 'gone' | 'refused';

export interface Settlement {
  entry: string;
  outcome: Outcome;
  /** For retry and release. */
  delayMs?: number;
  failure?: { kind: FailureKind; text: string; stack?: string | undefined };
  /** Whether the destination works, as the delivery shows; for its circuit breaker. */
  health?: 'good' | 'bad' | undefined;
  /** Why the destination wants no more messages at all. It is not for storage. */
  disables?: string | undefined;
  /** The platform refused a subrequest of its handler. Not for storage. */
  outOfSubrequests?: true;
  /** Only for an ack: messages that are enqueued with it, or not at all. */
  chained?: NewMessage[];
  /** Only for an ack: storage reads the envelope again, for a dedup key that goes and a resultTtl that keeps this, as JSON. */
  result?: string;
  /** Where its handler was called. */
  measured?: Measurement;
}

export type FailureKind = 'failed' | 'timeout' | 'refused' | 'unreadable' | 'lease_expired' | 'missing' | 'expired';

/** The most of an error's stack that is kept. */
const STACK_TEXT = 500;

const WORDS = { good: '+', bad: '-' };

export interface EncodedSettlements {
  segments: number;
  args: string[];
  /** Statuses come in the order written, which is not the caller's. */
  inOrder(statuses: Status[]): Status[];
}

/** Settlements that are alike share a segment: a batch of acks is a segment for each queue, and an argument for each entry. */
export function encodeSettlements(settlements: readonly Settlement[]): EncodedSettlements {
  const segments = segmentsAlike(settlements);
  const order = segments.flat();
  const written = order.map((place) => settlements[place] as Settlement);
  return {
    segments: segments.length,
    args: [
      ...segments.flatMap((places) => encodeSegment(places.map((place) => settlements[place] as Settlement))),
      ...written.flatMap(chainedArgs),
    ],
    inOrder(statuses) {
      const ordered: Status[] = [];
      for (const [index, place] of order.entries()) ordered[place] = statuses[index] as Status;
      return ordered;
    },
  };
}

/** Places of those alike. Acks of one queue are a segment, wherever they stand; others share with the one before them. */
function segmentsAlike(settlements: readonly Settlement[]): number[][] {
  const segments: number[][] = [];
  const acks = new Map<string, number[]>();
  let last: { settlement: Settlement; segment: number[] } | undefined;
  for (const [place, settlement] of settlements.entries()) {
    const name = nameSegment(settlement);
    const alike = name === undefined ? last && isLike(last.settlement, settlement) && last.segment : acks.get(name);
    if (alike) {
      alike.push(place);
      continue;
    }
    const segment = [place];
    segments.push(segment);
    if (name === undefined) last = { settlement, segment };
    else acks.set(name, segment);
  }
  return segments;
}

/** The name of the segment that a plain ack belongs to; undefined for all other settlements. */
function nameSegment({ outcome, result, health, measured }: Settlement): string | undefined {
  if (outcome !== 'ack' || result !== undefined) return undefined;
  const queue = measured?.queue ?? '';
  return health ? `${health} ${queue}` : queue; // as it is where that will do: a text for each ack would have to be hashed
}

function isLike(a: Settlement, b: Settlement): boolean {
  return (
    a.outcome === b.outcome &&
    a.health === b.health &&
    a.delayMs === b.delayMs &&
    a.result === b.result &&
    a.failure?.kind === b.failure?.kind &&
    a.failure?.text === b.failure?.text &&
    a.failure?.stack === b.failure?.stack &&
    a.measured?.queue === b.measured?.queue
  );
}

function encodeSegment(segment: Settlement[]): string[] {
  const { outcome, health, delayMs = 0, failure, result } = segment[0] as Settlement;
  const word = health ? outcome + WORDS[health] : outcome;
  const words =
    result === undefined
      ? [word, String(delayMs), failure?.kind ?? '-', failure ? failureText(failure) : '']
      : [word, '0', 'read', result];
  const measured = segment.flatMap((settlement) => settlement.measured ?? []);
  return [...words, measuredText(measured), String(segment.length), ...segment.map(({ entry }) => entry)];
}

/** What is kept of a failure: one line of storage, the text and then the frames of the stack, a tab before each. */
function failureText({ text, stack }: NonNullable<Settlement['failure']>): string {
  const kept = oneLine(text).slice(0, KEPT_LENGTH);
  return (stack ? `${kept}\t${wholeFrames(stack)}` : kept).toWellFormed();
}

/** The first frames, as many as there is room for. */
function wholeFrames(stack: string): string {
  const frames = stack
    .split('\n')
    .map((frame) => oneLine(frame.trim()))
    .join('\t');
  return frames.length <= STACK_TEXT ? frames : frames.slice(0, STACK_TEXT).replace(/\t[^\t]*$/, '');
}

/** Leaves no tab and no end of a line. */
const oneLine = (text: string) => text.replace(/\s+/g, ' ');

/** Behind the settlements: the place of one, how many arguments, and the segments that come with it. */
function chainedArgs({ chained = [] }: Settlement, index: number): string[] {
  if (chained.length === 0) return [];
  const segments = chained.flatMap((message) => encodeSegments([message], message.id));
  return [String(index + 1), String(segments.length), ...segments];
}
