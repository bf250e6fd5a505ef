/** What the document says about schemas that they do not say themselves: names, descriptions, and forms behind refinements. */
import * as z from 'zod/mini';
import { DURATION_TEXT, YEAR_MS } from '../../formats/duration.ts';
import { DestinationFields } from '../../message/destination.ts';
import { MessageOptions } from '../../message/options.ts';
import { ScheduleRequest } from '../../schedules/definition.ts';
import { Publication, Subscription } from '../../topics/schema.ts';
import { LeasesPage, QueuesPage } from '../v1/inspect-schema.ts';
import { Audit, Destinations, Override, Page, Purge, Redrive } from '../v1/operate-schema.ts';
import { ReceiveRequest, SettleRequest } from '../v1/receive-schema.ts';
import { Items, RingListQuery, RingPageQuery, Rotate } from '../v1/ring-schema.ts';
import { SchedulesPage } from '../v1/schedule-schema.ts';
import { SignIn } from '../v1/session-schema.ts';
import { StatsQuery } from '../v1/stats-schema.ts';
import { answers } from './answers.ts';
import { Issue, ProblemAnswer } from './problems.ts';
import { Batch, NewMessage, NewMessageOfBatch } from './requests.ts';

/** Schemas with a name are the document's components. */
export const names = z.registry<{ id: string }>();

/** JSON Schema in place of what the generator sees, where a refinement or a conversion says more. A test tries the bounds. */
export const forms = new Map<z.core.$ZodType, object>();

/** What the fields of an object mean. By object and field: one schema serves several fields. */
export const meanings = new Map<z.core.$ZodType, Record<string, string>>();

/** Numbers and texts side by side: no value is both, so exactly one fits. */
function duration(schema: z.core.$ZodType, leastMs: number, mostMs: number, standard?: string): void {
  forms.set(schema, {
    oneOf: [
      { type: 'number', minimum: leastMs, maximum: mostMs, description: 'Milliseconds.' },
      { type: 'string', pattern: DURATION_TEXT, description: 'Such as "90s", "5m", "1h30m", between the same bounds.' },
    ],
    ...(standard ? { default: standard } : {}),
  });
}

/** A name that is no field of the object does not compile. */
function describe<Shape extends z.core.$ZodShape>(
  object: z.core.$ZodType & { shape: Shape },
  fields: { [Name in keyof Shape]?: string },
): void {
  meanings.set(object, fields as Record<string, string>);
}

const HALF_A_DAY_MS = 12 * 3_600_000;
const dedup = MessageOptions.shape.dedup.def.innerType;
const settlement = SettleRequest.shape.settle.def.innerType.def.element;
const more = SettleRequest.shape.receive.def.innerType;

duration(MessageOptions.shape.delay, 0, YEAR_MS);
duration(MessageOptions.shape.ttl, 1, YEAR_MS);
duration(ScheduleRequest.shape.every, 1_000, YEAR_MS);
duration(MessageOptions.shape.retention, 0, YEAR_MS);
duration(dedup.shape.window, 1, YEAR_MS);
duration(DestinationFields.shape.timeout, 1, YEAR_MS);
duration(ReceiveRequest.shape.visibility, 1_000, HALF_A_DAY_MS, '30s');
duration(SettleRequest.shape.extend, 1_000, HALF_A_DAY_MS);
duration(settlement.shape.delay, 0, YEAR_MS);
duration(Override.shape.rate.def.innerType.def.innerType.shape.per, 100, 86_400_000);
forms.set(SettleRequest.shape.settle, { default: [] });
forms.set(MessageOptions.shape.notBefore, {
  oneOf: [
    { type: 'integer', minimum: 0, description: 'Epoch ms.' },
    { type: 'string', format: 'date-time', description: 'ISO 8601 with a time zone.' },
  ],
});

const OF_OPTIONS = {
  priority: "0 first. Default: the queue's.",
  delay: 'Wait before the first delivery.',
  notBefore: "No delivery before this instant, by the server's clock; at most a year from now.",
  ttl: 'Delivered for the first time within this time after it became due, or a dead letter.',
  group: 'A tenant, a customer, an entity: groups of one priority take turns.',
  maxAttempts: "Deliveries after which it becomes a dead letter. Default: the queue's.",
  retention:
    "How long the outcome and the result are kept, to be asked for. Default: the queue's, which is not at all.",
  dedup: 'The same key within the window is the same message.',
  headers: 'Texts for whoever handles the message. Those that HTTP may have go to its destination.',
};
const DESTINATION = 'Where it is delivered, for queues whose messages name that: a URL, or more than that.';
const BODY = "Any JSON; checked by the queue's schema.";

describe(dedup, {
  key: 'Known within the queue.',
  window: "How long the key is known after its first message. Default: the queue's, or 5 minutes.",
  mode: "`drop`: the new message is dropped. `replace`: the first gets its body while it waits; one that is at work is left, and the new one counts. Default: the queue's, or `drop`.",
  release: "The key goes when its message is acked or dead, not only after the window. Default: the queue's, or false.",
});
describe(NewMessage, { ...OF_OPTIONS, destination: DESTINATION, body: BODY });
describe(NewMessageOfBatch, { ...OF_OPTIONS, destination: DESTINATION, queue: 'The queue it goes to.', body: BODY });
describe(DestinationFields, {
  url: 'https and public, unless the deployment says otherwise.',
  method: 'Default: POST.',
  headers:
    'Sent over those that the queue has for this origin. Connection, forwarding, client-address, method-override, cookie and webhook headers are refused.',
  timeout: "No answer within it is a failure. At most the queue's, which is the default.",
  secret: "Which of the queue's named secrets sign.",
});
describe(Subscription, {
  queue: 'Its messages go here.',
  destination: 'For queues whose messages name theirs.',
  events: 'Types, or beginnings of types with `*` behind them: `invoice.paid`, `invoice.*`. Default: all.',
});
describe(Publication, {
  ...OF_OPTIONS,
  type: 'Subscriptions choose by it; consumers find it in the header `sluice-event`.',
  body: 'Any JSON; checked by the schema of each queue.',
  dedup: 'The same key within the window is the same message, for each subscription.',
});
describe(Batch, { messages: 'All of them are stored, or none.' });
const TAKING = {
  queues: 'Pulled queues, emptied in this order, each by priority.',
  max: 'The most messages to take.',
};
describe(ReceiveRequest, {
  ...TAKING,
  visibility: 'How long the messages stay away from others.',
});
describe(SettleRequest, {
  settle: 'What became of messages of this lease.',
  extend: 'The lease lasts this long from now. Left out, its expiry stays, or is 30 s where more is received.',
  receive: 'More messages in the same round trip, under the same lease: of the queues that it was received from.',
});
describe(settlement, {
  attempt: 'As it was received. With it the settlement is for this delivery only.',
  delay:
    'Before it comes again. Default: a retry waits 2 s, doubling by attempt up to 10 minutes; a release does not wait.',
  result: 'Kept with an ack, where the message has a retention; at most 64 KiB as JSON.',
  error: 'Why, for whoever looks at the message later.',
});
describe(more, {
  ...TAKING,
  holding:
    'How many messages of this lease the caller still has besides those settled here: what the lease has above was lost on its way, and comes first.',
});
describe(Page, {
  state: 'Which messages.',
  limit: 'The most messages of a page.',
  cursor: 'Where the last page ended.',
});
const { notBefore: _, ...OF_SLOTS } = OF_OPTIONS;
describe(ScheduleRequest, {
  ...OF_SLOTS,
  cron: 'Minute, hour, day of month, month, day of week: five fields, in which 0 and 7 are Sunday.',
  tz: 'The time zone of `cron`. Default: UTC.',
  every: 'Instead of `cron`: slots at whole multiples of it since the epoch.',
  queue: 'The queue its messages go to.',
  body: `${BODY} At most 64 KiB with all else.`,
  catchUp:
    'What becomes of slots that are more than 2 minutes late: nothing, one message for all of them, or one for each of the newest so many.',
});
describe(SchedulesPage, {
  limit: 'About so many schedules on a page.',
  cursor: 'Where the last page ended.',
});
describe(answers.ScheduleReport, {
  origin: '`code`: it stands in the code of the deployment.',
  everyMs: 'Of an interval; otherwise there is `cron`.',
  next: 'The next slots, epoch ms; none while paused.',
  lastAt: 'The last slot fired, epoch ms.',
  lastError: 'What was wrong with the last slot: fields and codes.',
  message: 'Body and options; not in the list.',
});
describe(answers.SchedulePage, { cursor: 'There is more: ask again with it.' });
describe(Override, {
  paused: 'No message is given out while it is.',
  concurrency: 'Messages in flight at once, over all Workers and consumers. null: as the queue is defined.',
  rate: 'Messages taken in each period. Periods begin at whole multiples of it. null: as the queue is defined.',
});
describe(Destinations, { cursor: 'Where the last page ended.' });
describe(answers.DestinationReport, {
  group: 'Left out where the queue has one url for all.',
  state: 'open: nothing is sent; probing: one message at a time is tried; closed: it failed, not often enough to open.',
  failures: 'In a row.',
  until: 'Nothing is sent until then.',
});
describe(Purge, { states: 'What goes.', cursor: 'Where the last call ended.' });
describe(Audit, {
  repair: 'Mend what is found.',
  deep: 'Look for the entry of each message too: about 10 commands each.',
  cursor: 'Where the last call ended.',
});
describe(answers.Finding, {
  name: 'Of the key, the lane, the message or the queue.',
  messages: 'Of a queue that only storage knows: what it holds.',
});
describe(answers.Findings, {
  cursor: 'There is more to look at: ask again with it.',
  incomplete:
    'What could not be judged because too much is at work: the counts of slots, or messages that are in no list.',
});
describe(answers.Duplicate, {
  id: 'Of the first message with this key.',
  replaced: 'The first message still waits, and has this body now.',
});
describe(answers.ReceivedMessage, {
  raw: 'Of a webhook: its exact body, which `body` is the parsed form of.',
  attempt:
    '1 at the first delivery, and one more after each that failed or whose lease lapsed. A release gives the same again; a redrive, and what takes the place of a message that was tried, begin at 1.',
  enqueuedAt: "Epoch ms, by the server's clock.",
});
describe(answers.Raw, {
  type: 'Content-Type as it came.',
  text: 'The exact body, where it is UTF-8; a byte order mark stays.',
  base64: 'The exact body, where it is not.',
});
describe(answers.SourceReport, {
  queue: 'Where all of it goes. Left out where the source decides event by event.',
  open: 'It takes events: its secret is set, and its scheme can use it.',
  reason: 'Why it is closed. It names bindings, and nothing of what is in them.',
  accepted: 'Requests whose events were stored.',
  duplicates: 'Redeliveries, answered like the first and not stored again.',
  ignored: 'Verified events that are wanted nowhere.',
  handshakes: "Providers' questions that were answered.",
  rejected: 'By reason: signature, timestamp, token, closed, too_large, aborted, encoding, schema, route, storage.',
});
describe(answers.Received, {
  lease: 'Settle under this name.',
  expiresAt: 'When the messages come back to others, epoch ms.',
  nextInMs: 'Nothing is ready: the next timer is due in so many ms.',
  more: 'There is more for this call than it brought, because no more fits in an answer or was asked for: it comes with the next.',
});
describe(answers.Settled, {
  lost: 'The lease was swept and nothing was taken: begin a new one.',
  expiresAt: 'With `extend` or `receive`: the end of the lease, epoch ms.',
  messages: 'With `receive`.',
});
describe(answers.QueueReport, {
  kind: '`unknown`: only storage has it, as it left the code. Nothing else of its definition is known then.',
  ready: 'Messages by priority.',
  oldestReadyAt: 'Epoch ms.',
  complete:
    'false: there is more than was counted. Beyond 4,000 lanes, 1,000 timers or 2,000 messages in leases it stops looking.',
  oldestComplete: 'false: a ready message may be older. Beyond 10 lanes it does not look.',
  recent: 'Over the last ten minutes that are over, where `recent=true` asks for it.',
});
describe(QueuesPage, {
  limit: 'The most queues of a page.',
  cursor: 'Where the last page ended.',
  search: 'Only queues with this in their names.',
  recent: 'Each with what became of its messages in the last ten minutes.',
});
describe(LeasesPage, { limit: 'The most leases of a page.', cursor: 'Where the last page ended.' });
describe(answers.LeaseReport, {
  kind: '`drain`: of the Worker. `consumer`: of a consumer elsewhere.',
  expiresAt: 'Then what it holds comes back to others, epoch ms.',
  held: 'Messages it holds.',
  queues: 'Of the 20 newest it holds: how many of which queue.',
});
describe(answers.LeasePage, {
  now: "By the server's clock, epoch ms.",
  cursor: 'There is more: ask again with it. A page may be short and still not be the last.',
  awake: 'A drain is at work, or was just asked for.',
  sleepsUntil: 'The one idle drain sleeps until then, epoch ms.',
});
describe(answers.Causes, {
  dead: 'Dead letters of the queue.',
  looked: 'How many of them, the newest, were looked at.',
});
describe(answers.Cause, {
  text: 'Of the newest.',
  firstAt: 'The oldest died then, epoch ms.',
  lastAt: 'The newest died then, epoch ms.',
});
describe(answers.NewSession, { expiresAt: 'Then it ends, epoch ms.' });
describe(SignIn, { token: 'One with the scope `operate`.' });
describe(answers.MessageReport, {
  destination: 'The URL it is delivered to: its own, or that of its queue. In lists only its own.',
  method: 'How it is sent there. In lists only where it names one itself.',
  state: '`done`: acked, and kept for its retention. `unseen`: ready or leased, in a lane too long to tell.',
  body: 'There where it can be read.',
  at: 'Due, end of its lease, dead since, or done at: epoch ms.',
  result: 'What its handler returned, or its consumer gave with the ack.',
  failures: 'Deliveries that did not end well.',
});
describe(answers.Failure, { stack: 'Of what a handler threw: its first frames, a line each.' });
describe(answers.MessagePage, {
  cursor: 'There is more: ask again with it. A page may be short and still not be the last.',
});
describe(answers.Cancelled, {
  was: 'Where it was. `leased`: whoever holds it may finish, nobody gets it again. `unseen`: ready or leased, in a lane too long to tell.',
});
describe(answers.Purged, {
  more: 'It works for 5 s: ask again while there is more.',
  cursor: 'Ask again with it: what it has looked through it does not look through again.',
});
describe(StatsQuery, {
  range: '`1h` in steps of a minute, `24h` in steps of ten.',
  queue: 'Only this one. Left out: all that the token is for.',
});
const OF_STATS = {
  dead: 'Those that nobody settled, too: lapsed or expired for the last time.',
  lapsed: 'Leases that expired: the message comes again.',
  discarded: 'Dead letters that were too many, or too old, to be kept.',
  waitMs: 'From due to the start of the handler, at first deliveries. null where nothing was measured.',
  runMs: 'Handler time. null where nothing was measured: consumers elsewhere report outcomes only.',
};
describe(answers.StatsFigures, OF_STATS);
describe(answers.StatsPoint, { ...OF_STATS, at: 'Beginning of the step, epoch ms.' });
describe(answers.StatsReport, {
  points: 'Every step, the present one last.',
  lastSweepAt:
    'When a sweep last ran. On a busy system a minute ago; one that finds nothing to count is noted every ten minutes only.',
});
describe(answers.SweepReport, {
  fired: 'Timers fired.',
  requeued: 'Messages that expired leases gave back.',
  repaired: 'What broke an invariant and was mended, or at least reported.',
});
describe(answers.TickReport, { drain: 'Left out where nothing was ready.' });
describe(Items, { items: 'Each is a line of text, 1 to 1,024 bytes in UTF-8.' });
describe(Rotate, { count: 'How many. A shorter ring gives each of its items once.' });
describe(RingPageQuery, { limit: 'The most items of a page.', cursor: 'Where the last page ended.' });
describe(RingListQuery, { limit: 'The most rings of a page.', cursor: 'Where the last page ended.' });
describe(answers.RingItems, {
  length: 'Items in the whole ring.',
  items: 'The next to come first.',
  cursor: 'There is more: ask again with it. What moves between two pages may come twice or not at all.',
});
describe(answers.RingList, {
  cursor: 'There is more: ask again with it. A page may be short and still not be the last.',
});
describe(answers.RingAdded, { added: 'How many were not in the ring before.' });
describe(answers.RingRemoved, { removed: 'How many were in the ring.' });
describe(answers.Health, {
  status: 'unsafe: eviction is on, or memory or the commands of the month run out.',
  warnings: 'What to change, a sentence each.',
});
describe(ProblemAnswer, {
  type: '`urn:sluice:problem:` and the code.',
  code: 'Stable: decide by it.',
  errors: 'Each field that is wrong.',
});

/** The components, by name. */
export const COMPONENTS = {
  NewMessage,
  NewMessageOfBatch,
  Batch,
  ReceiveRequest,
  SettleRequest,
  Dedup: dedup,
  Settlement: settlement,
  Destination: DestinationFields,
  Subscription,
  Publication,
  ReceiveMore: more,
  Purge,
  Redrive,
  Items,
  Rotate,
  ScheduleRequest,
  SignIn,
  Problem: ProblemAnswer,
  Issue,
  ...answers,
};

for (const [id, schema] of Object.entries(COMPONENTS)) names.add(schema, { id });
