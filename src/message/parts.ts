/**
 * Parts: which messages of one request have gone to which shard, and the ids that they have there. Pure.
 *
 * The first part is the coordinator's: it stores its own messages and behind them, for each other part, a parcel.
 */
import { makeIds, relabel } from './ids.ts';

export interface Part {
  /** Of its shard. */
  readonly label: string;
  /** Of its messages in the request, from 0. The coordinator may have none. */
  readonly places: readonly number[];
}

/** A request over several shards, as it was accepted. */
export interface SplitRequest {
  /** What the ids at the coordinator begin with. */
  readonly base: string;
  readonly parts: readonly [Part, ...Part[]];
}

/** A part is written as one character, from this one on. */
const FIRST = '0'.charCodeAt(0);
/** Up to "}": what follows divides the parts from what stands before them. */
export const MOST_PARTS = '}'.charCodeAt(0) - FIRST + 1;
/** Between the labels of the parts and the part of each message. */
const DIVIDER = '.';

/** As it is remembered with the request: text without blanks. */
export function writeParts(parts: readonly Part[], count: number): string {
  const codes = new Uint8Array(count);
  for (const [index, { places }] of parts.entries()) for (const place of places) codes[place] = FIRST + index;
  return parts.map(({ label }) => label).join('') + DIVIDER + String.fromCharCode(...codes);
}

export function readParts(text: string): SplitRequest['parts'] {
  const end = text.indexOf(DIVIDER);
  const labels = text.slice(0, end).match(/../g) ?? [];
  const parts = labels.map((label) => ({ label, places: [] as number[] }));
  for (let i = end + 1; i < text.length; i++) parts[text.charCodeAt(i) - FIRST]?.places.push(i - end - 1);
  return parts as unknown as SplitRequest['parts'];
}

/** What the ids of a part begin with: one shard may have several. */
export function makePartBase({ base, parts }: SplitRequest, index: number): string {
  const { label } = parts[index] as Part;
  const before = parts.slice(0, index).filter((part) => part.label === label).length;
  return relabel(base, label) + (before > 0 ? `-p${before}` : '');
}

/** All that the coordinator stores, its parcels last. */
function makeCoordinatorIds({ base, parts }: SplitRequest): string[] {
  return makeIds(base, parts[0].places.length + parts.length - 1);
}

/** Of the parcels, one for each part but the first. */
export const makeParcelIds = (split: SplitRequest): string[] =>
  makeCoordinatorIds(split).slice(split.parts[0].places.length);

/** Of the request's messages, in their order. */
export function makeSplitIds(split: SplitRequest): string[] {
  const ids: string[] = [];
  for (const [index, { places }] of split.parts.entries()) {
    const own = index === 0 ? makeCoordinatorIds(split) : makeIds(makePartBase(split, index), places.length);
    for (const [at, place] of places.entries()) ids[place] = own[at] as string;
  }
  return ids;
}
