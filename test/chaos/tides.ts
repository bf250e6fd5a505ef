/**
 * Tides: calms, in which push queues are idle and small requests are handed off, and bursts, in which backlogs stand and drains start
 * others, in turns from the beginning to the end of a run. A calm lasts only until it has had its share. Its last hand-off is
 * the moment for a kill: whoever dies leaves the system awake for a while, and nothing is handed off.
 */
type Tide = 'calm' | 'burst' | 'ebb';

export interface TideOptions {
  /** Messages that were begun, of these those of push queues, and those that were handed off. */
  begun: () => number;
  pushed: () => number;
  handedOff: () => number;
  /** Whether nothing is ready in push queues and nobody drains. */
  isIdle: () => Promise<boolean>;
  isOver: () => boolean;
}

export interface Tides {
  now(): Tide;
  /** No Worker is to be killed but by a strike. */
  isPeaceful(): boolean;
  /** Whether a request for push queues may begin now: in a calm one small one each time that the system is idle, or that was long ago. */
  mayPush(): 'yes' | 'few' | 'later';
  /** The calm has had its share. */
  isTurning(): boolean;
  /** Until it is over. */
  run(): Promise<void>;
}

/** Messages of push queues in a burst: more than one drain ends soon. */
const BURST = 3_000;
/** Of all messages so far, by the end of a calm. */
const SHARE = 0.02;
/** In a calm, even where others have had their share. */
const LEAST = 20;
const CALM_MS = 15_000;
const EBB_MS = 60_000;
/** After so long an ebb is left in peace: of who dies in it messages come back, and the system stays awake. */
const PEACE_AFTER_MS = 6_000;
/** In a calm the next request begins after so long, though somebody drains. */
const AGAIN_MS = 200;
const LOOK_MS = 30;

export function openTides({ begun, pushed, handedOff, isIdle, isOver }: TideOptions): Tides {
  let tide: Tide = 'calm';
  let hasTurn = false;
  let turnAt = 0;
  let tideAt = performance.now();
  let enough = 0;

  async function last(next: Tide, isDone: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
    tide = next;
    tideAt = performance.now();
    const end = tideAt + withinMs;
    while (!isOver() && performance.now() < end && !(await isDone())) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async function isCalmOver(): Promise<boolean> {
    hasTurn = (await isIdle()) || performance.now() > turnAt + AGAIN_MS;
    return handedOff() > enough;
  }

  return {
    now: () => tide,
    isPeaceful: () => tide === 'calm' || (tide === 'ebb' && performance.now() > tideAt + PEACE_AFTER_MS),
    mayPush() {
      if (tide !== 'calm') return tide === 'burst' ? 'yes' : 'later';
      if (!hasTurn) return 'later';
      hasTurn = false;
      turnAt = performance.now();
      return 'few';
    },
    isTurning: () => tide === 'calm' && handedOff() >= enough,
    async run() {
      while (!isOver()) {
        enough = Math.max(handedOff() + LEAST, SHARE * (begun() + BURST));
        await last('calm', isCalmOver, CALM_MS);
        const until = pushed() + BURST;
        await last('burst', () => pushed() >= until, Number.POSITIVE_INFINITY);
        await last('ebb', isIdle, EBB_MS);
      }
    },
  };
}
