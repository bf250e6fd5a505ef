/** What the API answers, as the page sees it: the types of the schemas that the API's own tests hold against real answers. */
import type { Wire as Answer } from '../http/v1/wire.ts';

export type QueueReport = Answer<'QueueReport'>;
export type QueueReports = Answer<'QueueReports'>;
export type MessageReport = Answer<'MessageReport'>;
export type MessagePage = Answer<'MessagePage'>;
export type LeasePage = Answer<'LeasePage'>;
export type Cause = Answer<'Cause'>;
export type Causes = Answer<'Causes'>;
export type Findings = Answer<'Findings'>;
export type Purged = Answer<'Purged'>;
export type Health = Answer<'Health'>;
export type Session = Answer<'Session'>;
export type Source = Answer<'SourceReport'>;
export type Destination = Answer<'DestinationReport'>;
export type DestinationPage = Answer<'DestinationReports'>;
export type Stats = Answer<'StatsReport'>;
export type Counters = Answer<'StatsCounters'>;
/** ms; null where nothing was measured. */
export type Percentiles = Counters['waitMs'];
export type Schedule = Answer<'ScheduleReport'>;
export type SchedulePage = Answer<'SchedulePage'>;
export type RingList = Answer<'RingList'>;
export type RingItems = Answer<'RingItems'>;

export type State = 'ready' | 'delayed' | 'leased' | 'dead';
export const STATES: State[] = ['ready', 'delayed', 'leased', 'dead'];
