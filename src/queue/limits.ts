/**
 * Limits: what a queue may have in flight and may take in a period, how its groups take turns, and how long a lane may wait.
 *
 * Pure. The scripts keep them; limits.lua reads the words that are written here.
 */
import { type Duration, toMs } from '../formats/duration.ts';
import { PUSH_POOL } from '../message/lane.ts';

export interface Rate {
  /** Messages. */
  limit: number;
  /** The period, from 100 ms to a day. Periods begin at whole multiples of it since 1970, by the server's clock. */
  per: Duration;
}

export interface Limits {
  /** Messages in flight at once, over all Workers and consumers. */
  concurrency?: number;
  /** Messages taken in each period. */
  rate?: Rate;
}

export interface LimitOptions {
  /** What the queue, and each of its groups, may have at work. Messages over it wait; none is refused. Default: no limit. */
  limits?: Limits & { group?: Limits };
  /**
   * One message of a group at a time, in the order in which they came; one that fails holds its group back until it is done or
   * dead. After a death the group goes on ('skip', what `true` means) or waits until the dead letter is redriven or
   * deleted ('block').
   */
  ordered?: boolean | { afterDeath: 'skip' | 'block' };
  /** How groups of one priority take turns: `quantum` messages at most in a turn, `weights` times as many for some groups. */
  fair?: { quantum?: number; weights?: Record<string, number> };
  /** A lane that was not served for so long gets its turns beside the most urgent ones until it has caught up. */
  maxWait?: Duration;
}

/** What a delivery may take where its queue does not say; limits.lua knows it too. A drain that an enqueue woke lives long enough. */
export const DEFAULT_TIMEOUT_MS = 15_000;

/** Of a rate. */
export const LEAST_PERIOD_MS = 100;
export const MOST_PERIOD_MS = 86_400_000;
const MOST = 1_000_000;

/**
 * @param of names the queue in errors
 * @returns the words for a queue's policy; '' where it has none
 * @throws RangeError that names the bad setting
 */
export function encodeLimits({ limits = {}, ordered = false, fair = {}, maxWait }: LimitOptions, of: string): string {
  const { group = {} } = limits;
  if (ordered && group.concurrency !== undefined) {
    throw new RangeError(
      `limits.group.concurrency of ${of} cannot be set: an ordered queue has one message of a group at work`,
    );
  }
  const words = [
    ...encodeRateAndConcurrency(limits, '', `limits.% of ${of}`),
    ...encodeRateAndConcurrency(group, 'g', `limits.group.% of ${of}`),
    ...(ordered ? [typeof ordered === 'object' && ordered.afterDeath === 'block' ? 'b' : 'o'] : []),
    ...(fair.quantum === undefined ? [] : [`q=${checkWhole(fair.quantum, `fair.quantum of ${of}`)}`]),
    ...encodeWeights(fair.weights ?? {}, of),
    ...(maxWait === undefined ? [] : [`a=${Math.max(1, toMs(maxWait, `maxWait of ${of}`))}`]),
  ];
  return words.join(' ');
}

/** @param names what stands for the setting's name in errors, with '%' for its own part */
export function encodeRateAndConcurrency({ concurrency, rate }: Limits, of: '' | 'g', names: string): string[] {
  const name = (part: string) => names.replace('%', part);
  const words: string[] = [];
  if (concurrency !== undefined) words.push(`${of}c=${checkWhole(concurrency, name('concurrency'))}`);
  if (rate !== undefined) {
    const perMs = toMs(rate.per, name('rate.per'));
    if (perMs < LEAST_PERIOD_MS || perMs > MOST_PERIOD_MS)
      throw new RangeError(`${name('rate.per')} must be from 100 ms to a day`);
    words.push(`${of}r=${checkWhole(rate.limit, name('rate.limit'))}/${perMs}`);
  }
  return words;
}

function encodeWeights(weights: Record<string, number>, of: string): string[] {
  const pairs = Object.entries(weights).map(
    ([group, weight]) => `${encodeURIComponent(group)}:${checkWhole(weight, `fair.weights of ${of}`)}`,
  );
  return pairs.length === 0 ? [] : [`w=${pairs.join(',')}`];
}

export interface LimitsInForce {
  concurrency?: number;
  rate?: { limit: number; perMs: number };
  /** Of each group. */
  group?: Omit<LimitsInForce, 'group'>;
}

/** The limits that words speak of, for people. */
export function parseLimits(words: string): LimitsInForce {
  const group = parseNamedLimits(words, 'g');
  const ofGroup = / [ob] /.test(` ${words} `) ? { ...group, concurrency: 1 } : group;
  return { ...parseNamedLimits(words, ''), ...(Object.keys(ofGroup).length > 0 ? { group: ofGroup } : {}) };
}

function parseNamedLimits(words: string, of: '' | 'g'): Omit<LimitsInForce, 'group'> {
  const [, concurrency] = new RegExp(`(?:^| )${of}c=(\\d+)`).exec(words) ?? [];
  const [, limit, perMs] = new RegExp(`(?:^| )${of}r=(\\d+)/(\\d+)`).exec(words) ?? [];
  return {
    ...(concurrency === undefined ? {} : { concurrency: Number(concurrency) }),
    ...(limit === undefined ? {} : { rate: { limit: Number(limit), perMs: Number(perMs) } }),
  };
}

interface QueueDefinition {
  name: string;
  pool: string;
  policy: string;
  timeoutMs?: number;
}

/** The policies of those that have one, in the form that the scripts take. Of other queues it says nothing. */
export const encodeLimitedQueues = (queues: Iterable<QueueDefinition>): string =>
  lines([...queues].map(wordsFor), true);

/** The dead letters that each queue keeps. */
export interface DeadLetterLimits {
  letters: number;
  ms: number;
}

/**
 * All that a deployment defines, in the form that the scripts take: a queue that is not named is unknown there. One for push
 * without a handler is another deployment's.
 */
export function encodeDefinitions(
  queues: Iterable<QueueDefinition & { handler?: unknown }>,
  keeps?: DeadLetterLimits,
): string {
  const defined = [...queues].map((queue) => {
    const elsewhere = queue.pool === PUSH_POOL && queue.handler === undefined;
    const { name, words } = wordsFor(queue);
    return { name, words: elsewhere ? [queue.pool, '-', ...words.slice(1)] : words };
  });
  const head = keeps ? `\n. ${keeps.letters} ${keeps.ms}` : '';
  return `${head}${lines(defined, false)}\n!`;
}

/** The pool, and what there is to say of the queue. */
function wordsFor({ name, pool, policy, timeoutMs }: QueueDefinition): { name: string; words: string[] } {
  return { name, words: [pool, policy, timeoutWord(pool, timeoutMs)].filter((word) => word !== '') };
}

function lines(queues: { name: string; words: string[] }[], withPolicy: boolean): string {
  const told = withPolicy ? queues.filter(({ words }) => words.length > 1) : queues;
  return told.map(({ name, words }) => `\n${name} ${words.join(' ')}`).join('');
}

/** Only drains ask whether they live long enough: consumers elsewhere extend their leases. */
function timeoutWord(pool: string, timeoutMs = DEFAULT_TIMEOUT_MS): string {
  return pool === PUSH_POOL && timeoutMs !== DEFAULT_TIMEOUT_MS ? `t=${Math.ceil(timeoutMs)}` : '';
}

/** @throws RangeError that names the setting */
export function checkWhole(value: number, setting: string, least = 1, most = MOST): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${setting} must be a whole number from ${least} to ${most}; got ${value}`);
}
