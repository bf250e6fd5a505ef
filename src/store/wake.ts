/** Waking: when a drain has to be started for what a call leaves in the store. */
import { DEFAULT_TIMEOUT_MS } from '../queue/limits.ts';
import { type Digits, digits } from '../redis/lua/script.ts';

/** When a drain has to be started for messages that are not ready yet. */
export interface Wake {
  /** A delay up to this is worth a drain that sleeps until then. */
  withinMs: number;
  /** What a delivery may take: one that sleeps already has to live so much longer. */
  needsMs: number;
}

/** A wake that was lost costs this much; a standing backlog wakes one more drain as often. */
export const AWAKE_MS = 5_000;
/** Where the queues are not known: a woken drain can sleep so long, and then deliver to one that has no timeout of its own. */
export const COMMON_WAKE: Wake = { withinMs: 12_000, needsMs: DEFAULT_TIMEOUT_MS };

/** As the scripts read it. */
export const wakeArgs = (wake: Wake | false): [awakeMs: Digits, withinMs: Digits, needsMs: Digits] =>
  wake ? [digits(AWAKE_MS), digits(wake.withinMs), digits(wake.needsMs)] : ['0', '0', '0'];
