/** Drainers: who drains in place of its callers, for callers that wake them: Durable Objects, or the loop of a resident process. */

import { logWarning, nameOfError } from '../log.ts';
import type { HandOff } from '../store/enqueue.ts';

/** A drainer, by RPC. */
interface Stub {
  wake(at: number): Promise<boolean>;
  start(): Promise<boolean>;
}

/** Of the binding DRAINER: as much of a DurableObjectNamespace as is used here. */
interface Namespace {
  getByName(name: string): unknown;
  idFromName(name: string): unknown;
}

/** Tells one object from others. */
interface ObjectId {
  equals(other: never): boolean;
}

export interface Drainers {
  /** It drains in this very process, which has no other drain: whoever enqueues here can wake it, and leaves all to it. */
  readonly isResident?: boolean;
  /** Nothing is drained in this process, but would be at a wake. */
  readonly isIdle?: boolean;
  /** It can begin at once with what an enqueue takes for it. */
  readonly begins?: boolean;
  /** Begins with that, or gives it back. */
  begin?(handOff: HandOff): Promise<void>;
  /**
   * Asks the first of them to look at this instant, epoch ms, and it the next where it is too busy for that: one subrequest.
   * @returns false where none of them does: the caller has to look by itself
   */
  wake(at: number): Promise<boolean>;
  /** Has the one at this place begin; it never rejects. Not there where all is left to one loop. @returns false where it surely does not */
  readonly start?: (place: number) => Promise<boolean>;
  /** The place of this one. */
  placeOf(id: ObjectId): number | undefined;
  /** The drainers behind this one, which it wakes where it is busy. */
  behind(id: ObjectId): Drainers | undefined;
}

const formatName = (place: number) => `drainer-${place}`;

/** @returns undefined where none is bound, or behind the last */
export function openDrainers(env: object, count: number, first = 0): Drainers | undefined {
  const { DRAINER: namespace } = env as { DRAINER?: Namespace | string };
  if (typeof namespace !== 'object' || first >= count) return undefined; // a process may have a variable of this name
  const ask = async (place: number, call: (stub: Stub) => Promise<boolean>) => {
    try {
      return await call(namespace.getByName(formatName(place)) as Stub);
    } catch (error) {
      logWarning('drainer not woken', { drainer: formatName(place), error: nameOfError(error) });
      return false;
    }
  };
  const placeOf = (id: ObjectId) => {
    const places = Array.from({ length: count }, (_, place) => place);
    return places.find((place) => id.equals(namespace.idFromName(formatName(place)) as never));
  };
  return {
    wake: (at) => ask(first, (stub) => stub.wake(at)),
    start: (place) => ask(place, (stub) => stub.start()),
    placeOf,
    behind: (id) => openDrainers(env, count, (placeOf(id) ?? count) + 1),
  };
}
