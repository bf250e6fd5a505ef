/** What the API answers, as the page sees it: the types of the schemas that the API's own tests hold against real answers. */
import type * as z from 'zod/mini';
import type { answers } from '../http/openapi/answers.ts';

type Answer<Name extends keyof typeof answers> = z.output<(typeof answers)[Name]>;

export type QueueReport = Answer<'QueueReport'>;
export type QueueReports = Answer<'QueueReports'>;
export type MessageReport = Answer<'MessageReport'>;
export type MessagePage = Answer<'MessagePage'>;
export type LeasePage = Answer<'LeasePage'>;
export type Cause = Answer<'Cause'>;
export type Causes = Answer<'Causes'>;
export type Findings = Answer<'Findings'>;
export type Health = Answer<'Health'>;
export type Session = Answer<'Session'>;
export type Source = Answer<'SourceReport'>;
export type Destination = Answer<'DestinationReport'>;
export type DestinationPage = Answer<'DestinationReports'>;
export type RingList = Answer<'RingList'>;
export type RingItems = Answer<'RingItems'>;

export type State = 'ready' | 'delayed' | 'leased' | 'dead';
export const STATES: State[] = ['ready', 'delayed', 'leased', 'dead'];

/** Percentiles, ms; left out where nothing was measured. */
export interface Percentiles {
  p50?: number | null;
  p95?: number | null;
  p99?: number | null;
}

export interface Figures {
  acked: number;
  retried: number;
  dead: number;
  waitMs: Percentiles;
  runMs: Percentiles;
}

export interface Stats {
  now: number;
  stepMs: number;
  /** When the sweep that cron starts was last at work. */
  lastSweepAt?: number;
  points: (Figures & { at: number })[];
  total: Figures;
}

export interface Schedule {
  id: string;
  state: 'active' | 'paused';
  cron?: string;
  everyMs?: number;
  tz?: string;
  queue: string;
  next: number[];
  lastAt?: number;
  lastError?: string;
}
