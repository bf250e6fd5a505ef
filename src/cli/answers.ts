/** What the HTTP API answers to operators: docs/api.md in types. What an older deployment may leave out is optional. */

import type { CarriedOptions } from '../message/options.ts';

export type State = 'ready' | 'delayed' | 'leased' | 'dead';

export interface Limits {
  concurrency?: number;
  rate?: { limit: number; perMs: number };
}

export interface QueueReport {
  queue: string;
  /** `unknown`: it left the code, and nothing of its definition is known. */
  kind: 'push' | 'pull' | 'unknown';
  priority?: number;
  attempts?: number;
  timeoutMs?: number;
  /** By priority. */
  ready: Record<string, number>;
  delayed: number;
  leased: number;
  dead: number;
  /** Epoch ms. */
  oldestReadyAt?: number;
  paused: boolean;
  /** Bindings that should hold the secrets of its destination, and do not. */
  missingSecrets?: string[];
  /** In force, whoever set them. */
  limits?: Limits;
  /** What operators set over the queue's definition. */
  overrides?: Limits;
  /** False where it stopped counting. */
  complete: boolean;
  /** False where a ready message may be older. */
  oldestComplete?: boolean;
}

export interface Failure {
  attempt: number;
  at: number;
  kind: string;
  text: string;
  /** Where a handler's error was thrown: frames, a line each. */
  stack?: string;
}

export interface MessageReport extends CarriedOptions {
  id: string;
  state: string;
  queue?: string;
  priority?: number;
  attempt?: number;
  maxAttempts?: number;
  body?: unknown;
  /** The URL that it names, and how it is sent there where it says so. */
  destination?: string;
  method?: string;
  /** The exact bytes of a webhook: as text where they are UTF-8. */
  raw?: { type: string; text?: string; base64?: string };
  headers?: Record<string, string>;
  enqueuedAt?: number;
  /** Due, end of its lease, dead since, or done at: epoch ms. */
  at?: number;
  result?: unknown;
  failures: Failure[];
}

export interface Purged {
  purged: number;
  more: boolean;
  /** Where there is more. */
  cursor?: string;
}

export interface Redriven {
  messages: { id: string; status: 'redriven' | 'gone' | 'missing' }[];
}

export interface ScheduleReport {
  id: string;
  state: string;
  cron?: string;
  everyMs?: number;
  tz?: string;
  queue: string;
  /** Epoch ms, the next first. */
  next?: number[];
}

export interface RingReport {
  ring: string;
  length: number;
}

export interface Health {
  status: 'ok' | 'unsafe';
  warnings: string[];
}

export interface Figures {
  acked: number;
  retried: number;
  dead: number;
  /** From due to the start of the handler; null where nothing was measured. */
  waitMs?: { p50: number | null; p95: number | null };
}

export interface Stats {
  /** The server's clock, epoch ms. */
  now: number;
  /** A minute each: what ended in it. */
  points: (Figures & { at: number })[];
  total: Figures;
  /** When a sweep last ran, epoch ms. On an idle system it is noted every ten minutes. */
  lastSweepAt?: number;
}

export interface SourceReport {
  source: string;
  /** Whether it takes events. */
  open?: boolean;
  /** Why it does not. */
  reason?: string;
}

export interface DestinationPage {
  destinations: { queue: string; group?: string; state: 'open' | 'probing' | 'closed'; failures: number }[];
}

export interface Findings {
  findings: { finding: string; name: string; messages?: number }[];
  /** Where there is more. */
  cursor?: string;
  /** What could not be judged, because too much is at work. */
  incomplete?: string[];
}

/** Ready messages of all priorities. */
export function readyOf({ ready }: QueueReport): number {
  return Object.values(ready).reduce((sum, count) => sum + count, 0);
}
