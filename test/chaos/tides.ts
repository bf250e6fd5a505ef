/**
 * Tides: calms, in which push queues are idle and small requests are handed off, and bursts, in which backlogs stand and drains start
 * others, in turns from the beginning to the end of a run. A calm lasts only until it has had its share.
 */
export type Tide = 'calm' | 'burst' | 'ebb';

export interface TideOptions {
  /** Messages that were begun, of these those of push queues, and those that were handed off. */
  begun: () => number;
  pushed: () => number;
  handedOff: () => number;
  /** Whether nothing is ready in push queues. */
  isIdle: () => Promise<boolean>;
  isOver: () => boolean;
}

export interface Tides {
  now(): Tide;
  /** Until it is over. */
  run(): Promise<void>;
}

/** Messages of push queues in a burst: more than one drain ends soon. */
const BURST = 3_000;
/** Of all messages so far, by the end of a calm. */
const SHARE = 0.02;
/** In a calm, even where others have had their share. */
const LEAST = 20;
const CALM_MS = 6_000;
const EBB_MS = 20_000;
const LOOK_MS = 50;

export function openTides({ begun, pushed, handedOff, isIdle, isOver }: TideOptions): Tides {
  let tide: Tide = 'calm';

  async function last(next: Tide, isDone: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
    tide = next;
    const end = performance.now() + withinMs;
    while (!isOver() && performance.now() < end && !(await isDone())) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  return {
    now: () => tide,
    async run() {
      while (!isOver()) {
        const least = handedOff() + LEAST;
        await last('calm', () => handedOff() >= Math.max(least, SHARE * (begun() + BURST)), CALM_MS);
        const until = pushed() + BURST;
        await last('burst', () => pushed() >= until, Number.POSITIVE_INFINITY);
        await last('ebb', isIdle, EBB_MS);
      }
    },
  };
}
