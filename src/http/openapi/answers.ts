/** What the API answers, as schemas: the document is made from them, and a test holds every real answer against them. */
import * as z from 'zod/mini';
import { DestinationFields } from '../../message/destination.ts';

const count = z.int().check(z.minimum(0));
const instant = z.int().check(z.minimum(0));
const priority = z.int().check(z.minimum(0), z.maximum(9));
const attempt = z.int().check(z.minimum(0));
const texts = z.record(z.string(), z.string());
const status = <Names extends string[]>(...names: Names) => z.enum(names);

const Receipt = z.object({
  id: z.string(),
  queue: z.string(),
  state: status('ready', 'delayed'),
  duplicate: z.literal(false),
});

const Duplicate = z.object({
  id: z.string(),
  queue: z.string(),
  state: z.literal('duplicate'),
  duplicate: z.literal(true),
  replaced: z.optional(z.literal(true)),
});

const Receipts = z.object({ messages: z.array(z.union([Receipt, Duplicate])) });

const Raw = z.object({ type: z.string(), text: z.optional(z.string()), base64: z.optional(z.string()) });

const ReceivedMessage = z.object({
  id: z.string(),
  queue: z.string(),
  priority,
  group: z.optional(z.string()),
  attempt,
  body: z.unknown(),
  raw: z.optional(Raw),
  headers: texts,
  enqueuedAt: instant,
});

const received = {
  expiresAt: instant,
  messages: z.array(ReceivedMessage),
  nextInMs: z.optional(count),
  more: z.optional(z.literal(true)),
};

const Received = z.object({ lease: z.string(), ...received });

const SettledMessage = z.object({
  id: z.string(),
  status: status('acked', 'retried', 'dead', 'released', 'stale', 'gone'),
});

const Settled = z.object({
  settled: z.array(SettledMessage),
  lost: z.optional(z.literal(true)),
  expiresAt: z.optional(received.expiresAt),
  messages: z.optional(received.messages),
  nextInMs: received.nextInMs,
  more: received.more,
  cancelled: z.optional(z.array(z.string())),
});

const limitsInForce = {
  concurrency: z.optional(count),
  rate: z.optional(z.object({ limit: count, perMs: count })),
};

const LimitsInForce = z.object({ ...limitsInForce, group: z.optional(z.object(limitsInForce)) });

const percentile = z.nullable(count);
const percentiles = z.object({ p50: percentile, p95: percentile, p99: percentile });
const StatsFigures = z.object({
  acked: count,
  retried: count,
  dead: count,
  released: count,
  lapsed: count,
  discarded: count,
  waitMs: percentiles,
  runMs: percentiles,
});

const QueueReport = z.object({
  queue: z.string(),
  kind: status('drained', 'pulled', 'unknown'),
  priority: z.optional(priority),
  attempts: z.optional(count),
  timeoutMs: z.optional(count),
  ordered: z.optional(z.boolean()),
  limits: LimitsInForce,
  overrides: LimitsInForce,
  missingSecrets: z.optional(z.array(z.string())),
  ready: z.record(z.string().check(z.regex(/^[0-9]$/)), count),
  delayed: count,
  leased: count,
  dead: count,
  oldestReadyAt: z.optional(instant),
  paused: z.boolean(),
  complete: z.boolean(),
  oldestComplete: z.boolean(),
  recent: z.optional(StatsFigures),
});

const QueueReports = z.object({ queues: z.array(QueueReport), cursor: z.optional(z.string()) });

const LeaseReport = z.object({
  lease: z.string(),
  kind: status('drain', 'consumer'),
  expiresAt: instant,
  held: count,
  queues: z.record(z.string(), count),
});

const LeasePage = z.object({
  now: instant,
  leases: z.array(LeaseReport),
  cursor: z.optional(z.string()),
  awake: z.boolean(),
  sleepsUntil: z.optional(instant),
});

const Cause = z.object({
  kind: z.string(),
  text: z.string(),
  count,
  firstAt: instant,
  lastAt: instant,
  ids: z.array(z.string()),
});

const Causes = z.object({ dead: count, looked: count, causes: z.array(Cause) });

const session = {
  name: z.string(),
  scopes: z.array(z.enum(['enqueue', 'receive', 'operate'])),
  queues: z.array(z.string()),
};

const Session = z.object(session);

const NewSession = z.object({ ...session, expiresAt: instant });

const NoSession = z.object({});

const Failure = z.object({
  attempt,
  at: instant,
  kind: z.string(),
  text: z.string(),
  stack: z.optional(z.string()),
});

const MessageReport = z.object({
  id: z.string(),
  state: status('ready', 'delayed', 'leased', 'dead', 'done', 'cancelled', 'unseen'),
  queue: z.optional(z.string()),
  priority: z.optional(priority),
  group: z.optional(z.string()),
  attempt: z.optional(attempt),
  maxAttempts: z.optional(count),
  destination: z.optional(z.string()),
  method: z.optional(z.string()),
  body: z.optional(z.unknown()),
  raw: z.optional(Raw),
  headers: z.optional(texts),
  enqueuedAt: z.optional(instant),
  at: z.optional(instant),
  result: z.optional(z.unknown()),
  unreadable: z.optional(z.literal(true)),
  failures: z.array(Failure),
});

const MessagePage = z.object({ messages: z.array(MessageReport), cursor: z.optional(z.string()) });

const PublishedMessage = z.extend(Receipt, { subscription: z.string() });
const PublishedDuplicate = z.extend(Duplicate, { subscription: z.string() });
const Published = z.object({ messages: z.array(z.union([PublishedMessage, PublishedDuplicate])) });

const Topics = z.object({ topics: z.array(z.object({ topic: z.string(), subscriptions: count })) });

const Subscribed = z.object({
  id: z.string(),
  queue: z.string(),
  destination: z.optional(DestinationFields),
  events: z.array(z.string()),
  disabled: z.optional(z.object({ at: instant, reason: z.string() })),
});
const Topic = z.object({ topic: z.string(), subscriptions: z.array(Subscribed) });

const Unsubscribed = z.object({ removed: count });

const Cancelled = z.object({ id: z.string(), was: status('ready', 'delayed', 'dead', 'leased', 'unseen') });

const Overridden = z.object({
  queue: z.string(),
  paused: z.optional(z.boolean()),
  concurrency: z.optional(z.nullable(count)),
  rate: z.optional(z.nullable(z.object({ limit: count, per: count }))),
});

const Purged = z.object({ purged: count, more: z.boolean(), cursor: z.optional(z.string()) });

const RedrivenMessage = z.object({ id: z.string(), status: status('redriven', 'gone', 'missing') });

const Redriven = z.object({ messages: z.array(RedrivenMessage) });

const Finding = z.object({ finding: z.string(), name: z.string(), messages: z.optional(count) });

const DestinationReport = z.object({
  queue: z.string(),
  group: z.optional(z.string()),
  state: status('open', 'probing', 'closed'),
  failures: count,
  until: z.optional(instant),
});

const DestinationReports = z.object({ destinations: z.array(DestinationReport), cursor: z.optional(z.string()) });

const Findings = z.object({
  findings: z.array(Finding),
  cursor: z.optional(z.string()),
  incomplete: z.optional(z.array(status('counts', 'envelopes'))),
});

const catchUp = z.union([z.enum(['none', 'one']), z.object({ all: count })]);

const ScheduleReport = z.object({
  id: z.string(),
  state: status('active', 'paused'),
  origin: status('code', 'api'),
  cron: z.optional(z.string()),
  tz: z.optional(z.string()),
  everyMs: z.optional(count),
  queue: z.string(),
  catchUp,
  next: z.array(instant),
  lastAt: z.optional(instant),
  lastError: z.optional(z.string()),
  message: z.optional(z.looseObject({ body: z.unknown() })),
});

const SchedulePage = z.object({ schedules: z.array(ScheduleReport), cursor: z.optional(z.string()) });

const Removed = z.object({ id: z.string(), removed: z.literal(true) });

const StatsPoint = z.extend(StatsFigures, { at: instant });
const StatsReport = z.object({
  now: instant,
  stepMs: count,
  lastSweepAt: z.optional(instant),
  points: z.array(StatsPoint),
  total: StatsFigures,
});

const SweepReport = z.object({ fired: count, requeued: count, dead: count, repaired: count });

const DrainReport = z.object({
  delivered: count,
  acked: count,
  retried: count,
  dead: count,
  released: count,
  stale: count,
  gone: count,
  leasesLost: count,
  requests: count,
  ms: count,
  ended: status('idle', 'budget', 'storage', 'subrequests'),
});

const Begun = z.object({});

const TickReport = z.object({ sweep: SweepReport, drain: z.optional(DrainReport) });

const RingLength = z.object({ ring: z.string(), length: count });

const RingList = z.object({ rings: z.array(RingLength), cursor: z.optional(z.string()) });

const RingItems = z.object({
  ring: z.string(),
  length: count,
  items: z.array(z.string()),
  cursor: z.optional(z.string()),
});

const RingAdded = z.object({ ring: z.string(), added: count, length: count });

const RingRemoved = z.object({ ring: z.string(), removed: count, length: count });

const Rotated = z.object({ ring: z.string(), items: z.array(z.string()) });

const Health = z.object({ status: status('ok', 'unsafe'), warnings: z.array(z.string()) });

const SourceReport = z.object({
  source: z.string(),
  provider: z.string(),
  queue: z.optional(z.string()),
  open: z.boolean(),
  reason: z.optional(z.string()),
  accepted: count,
  duplicates: count,
  ignored: count,
  handshakes: count,
  rejected: z.record(z.string(), count),
});

const SourceReports = z.object({ sources: z.array(SourceReport) });

/** This document: only what makes it one is stated. */
const Document = z.looseObject({ openapi: z.string() });

export const answers = {
  Receipt,
  Duplicate,
  Receipts,
  Raw,
  ReceivedMessage,
  Received,
  SettledMessage,
  Settled,
  QueueReport,
  QueueReports,
  LeaseReport,
  LeasePage,
  Cause,
  Causes,
  Session,
  NewSession,
  NoSession,
  Failure,
  MessageReport,
  MessagePage,
  PublishedMessage,
  PublishedDuplicate,
  Published,
  Topics,
  Subscribed,
  Topic,
  Unsubscribed,
  Cancelled,
  Overridden,
  Purged,
  RedrivenMessage,
  Redriven,
  Finding,
  DestinationReport,
  DestinationReports,
  Findings,
  ScheduleReport,
  SchedulePage,
  Removed,
  StatsFigures,
  StatsPoint,
  StatsReport,
  SweepReport,
  DrainReport,
  Begun,
  TickReport,
  RingLength,
  RingList,
  RingItems,
  RingAdded,
  RingRemoved,
  Rotated,
  SourceReport,
  SourceReports,
  Health,
  Document,
};
