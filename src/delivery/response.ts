/**
 * Answers of destinations: what a status and its headers mean for the message, and for the endpoint.
 *
 * Pure.
 */
import type { EndpointState } from './error.ts';

export interface Answer {
  status: number;
  headers: Pick<globalThis.Headers, 'get'>;
}

/**
 * What becomes of the message. `afterMs`: the destination asked to be left alone for so long. `disables`: it wants no more
 * messages at all, in the words in which it said so.
 */
export type Verdict = { outcome: 'done' } | { outcome: 'dead' | 'retry'; disables?: string; afterMs?: number };

/** A destination may ask for as much and no more: it must not put its messages off for ever. */
const MOST_AFTER_MS = 60 * 60_000;

/** Only 2xx is done. A redirect is a failure: followed, it would carry body and headers to somebody else. */
export function judgeAnswer({ status, headers }: Answer, nowMs: number): Verdict {
  if (status >= 200 && status <= 299) return { outcome: 'done' };
  const mark = headers.get('webhook-delivery');
  if (status === 410) return { outcome: 'dead', disables: 'HTTP 410' };
  if (mark === 'disable') return { outcome: 'dead', disables: `webhook-delivery: ${mark}` };
  if (mark === 'abort-message') return { outcome: 'dead' };
  const afterMs = status === 429 || status === 503 ? retryAfterMs(headers.get('retry-after'), nowMs) : undefined;
  return { outcome: 'retry', ...(afterMs === undefined ? {} : { afterMs: Math.min(afterMs, MOST_AFTER_MS) }) };
}

/** Not all in one moment: up to a tenth later than they were asked to, and still within the hour. @param random in [0, 1) */
export function spreadAfterMs(afterMs: number, random: number): number {
  return Math.min(MOST_AFTER_MS, afterMs * (1 + random / 10));
}

/** Whole seconds, or a date of HTTP's own form. Anything else, and what is past, asks for nothing. */
export function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  const text = value ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1_000 || undefined;
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text);
  const waitMs = isDate ? Date.parse(text) - nowMs : Number.NaN;
  return waitMs > 0 ? waitMs : undefined;
}

/**
 * What a delivery says about where it went: `down` where that is, or is overloaded; nothing where only this message is wrong.
 * @param end the status of the answer, or how there was none
 */
export function endpointState(end: number | 'timeout' | 'network'): EndpointState {
  if (typeof end !== 'number' || end >= 500 || end === 429) return 'down';
  return end >= 200 && end <= 299 ? 'up' : undefined;
}

/** Headers that say something about a failure. */
const TELLING = ['retry-after', 'location', 'content-type'];

/** A failure for people: `HTTP 429 (retry-after: 30; content-type: text/plain): slow down`. */
export function describeAnswer({ status, headers }: Answer, body: string): string {
  const told = TELLING.flatMap((name) => {
    const value = headers.get(name);
    return value ? [`${name}: ${value.slice(0, 100)}`] : [];
  });
  const text = body.replace(/[\p{C}\s]+/gu, ' ').trim();
  return `HTTP ${status}${told.length > 0 ? ` (${told.join('; ')})` : ''}${text ? `: ${text}` : ''}`;
}
