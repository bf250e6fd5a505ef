/** What the HTTP API says and is told, as types of its own schemas. Nothing of them is there at run time. */
import type { Body, Query } from '../http/v1/request.ts';
import type { Wire } from '../http/v1/wire.ts';

// Messages on their way in.
export type MessageOptions = Omit<Body<'enqueue'>, 'body'>;
export type Receipt = Wire<'Receipt' | 'Duplicate'>;

// Messages on their way out.
/** A message as a consumer elsewhere gets it. After a release the next consumer gets the same attempt, after a redrive the first. */
export type ReceivedMessage<Content = unknown> = Omit<Wire<'ReceivedMessage'>, 'body'> & { body: Content };
export type Received<Content> = Omit<Wire<'Received'>, 'messages'> & { messages: ReceivedMessage<Content>[] };
export type SettleRequest = Body<'settle'>;
/** What became of one message. */
export type Settlement = NonNullable<SettleRequest['settle']>[number];
export type SettledMessage = Wire<'SettledMessage'>;
/**
 * `stale`: the lease had expired and the message lives on elsewhere, or a repeat found it settled. `gone`: it was done
 * before, cancelled or purged, or a repeat found its ack done.
 */
export type Status = SettledMessage['status'];
export type Settled<Content> = Omit<Wire<'Settled'>, 'messages'> & {
  messages?: ReceivedMessage<Content>[] | undefined;
};

// Queues and their messages.
export type QueueReport = Wire<'QueueReport'>;
export type QueueReports = Wire<'QueueReports'>;
export type QueuesQuery = Query<'listQueues'>;
export type Override = Body<'overrideQueue'>;
export type Overridden = Wire<'Overridden'>;
export type MessageReport = Wire<'MessageReport'>;
export type MessageFailure = Wire<'Failure'>;
export type MessagePage = Wire<'MessagePage'>;
export type MessagesQuery = Query<'listMessages'>;
/** Where a message can be found in a list. */
export type State = NonNullable<MessagesQuery['state']>;
export type PurgeRequest = Body<'purgeQueue'>;
export type Purged = Wire<'Purged'>;
export type RedriveRequest = Body<'redriveDead'>;
export type Redriven = Wire<'Redriven'>;
export type Cause = Wire<'Cause'>;
export type Causes = Wire<'Causes'>;
export type Cancelled = Wire<'Cancelled'>;

// What is at work, and what is wrong.
export type LeasePage = Wire<'LeasePage'>;
export type LeasesQuery = Query<'listLeases'>;
export type DestinationReport = Wire<'DestinationReport'>;
export type DestinationReports = Wire<'DestinationReports'>;
export type DestinationsQuery = Query<'listDestinations'>;
export type SourceReport = Wire<'SourceReport'>;
export type SourceReports = Wire<'SourceReports'>;
export type StatsReport = Wire<'StatsReport'>;
export type StatsCounters = Wire<'StatsCounters'>;
export type StatsQuery = Query<'getStats'>;
export type Health = Wire<'Health'>;
export type Findings = Wire<'Findings'>;
export type AuditQuery = Query<'audit'>;
export type SweepReport = Wire<'SweepReport'>;
export type TickReport = Wire<'TickReport'>;

export type ShardList = Wire<'ShardList'>;
export type ShardReport = Wire<'ShardReport'>;
export type ShardPin = Wire<'ShardPin'>;
export type ShardNamed = Wire<'ShardNamed'>;
export type ShardUnpinned = Wire<'ShardUnpinned'>;
export type ShardEvacuated = Wire<'ShardEvacuated'>;
export type ShardVerified = Wire<'ShardVerified'>;
export type ShardForgotten = Wire<'ShardForgotten'>;

// Topics, schedules, rings.
export type Topics = Wire<'Topics'>;
export type Topic = Wire<'Topic'>;
export type Subscription = Body<'subscribe'>;
export type Subscribed = Wire<'Subscribed'>;
export type Unsubscribed = Wire<'Unsubscribed'>;
export type Publication = Body<'publish'>;
export type Published = Wire<'Published'>;
export type ScheduleRequest = Body<'putSchedule'>;
export type ScheduleReport = Wire<'ScheduleReport'>;
export type SchedulePage = Wire<'SchedulePage'>;
export type SchedulesQuery = Query<'listSchedules'>;
export type ScheduleRemoved = Wire<'Removed'>;
export type RingList = Wire<'RingList'>;
export type RingsQuery = Query<'listRings'>;
export type RingItems = Wire<'RingItems'>;
export type RingQuery = Query<'getRing'>;
export type RingAdded = Wire<'RingAdded'>;
export type RingRemoved = Wire<'RingRemoved'>;
export type Rotated = Wire<'Rotated'>;

// Who is signed in.
export type Session = Wire<'Session'>;
export type NewSession = Wire<'NewSession'>;
