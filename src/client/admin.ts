/** createAdmin: a typed call for each route of the HTTP API that is for operators. */
import type { ClientOptions } from './client.ts';
import { path, withQuery } from './path.ts';
import { createKey, createTransport, type RequestOptions, type Transport, type TransportOptions } from './transport.ts';
import type * as wire from './wire-types.ts';

export { SluiceError } from './error.ts';
export { purgeAll, readPages } from './pages.ts';
export { BadName } from './path.ts';
export { countReady, STATES } from './reports.ts';
export type * from './wire-types.ts';

/** Calls go with a token, or as the session of this browser; with a session the url may be empty, which is the page's own origin. */
export type AdminOptions = ClientOptions | (Omit<TransportOptions, 'token'> & { session: true });

/** The options of each call. */
type CallOptions = Pick<RequestOptions, 'signal'>;
type NamedCallOptions = Pick<RequestOptions, 'signal' | 'idempotencyKey'>;

export type Admin = ReturnType<typeof openAdmin>;

/** A tick answers when its handlers have ended, after 25 s at the latest. */
const TICK_TIMEOUT_MS = 30_000;

/**
 * Makes a client for operators.
 * @throws TypeError where the token cannot be sent
 * @example await createAdmin({ url, token }).queues.pause('mail')
 */
export const createAdmin = (options: AdminOptions): Admin => openAdmin(createTransport(options));

/** Each call: @throws SluiceError; BadName for what is no name of anything. A list answers a page: see readPages. */
export function openAdmin(send: Transport) {
  return {
    queues: openQueues(send),
    messages: openMessages(send),
    deadLetters: openDeadLetters(send),
    topics: openTopics(send),
    schedules: openSchedules(send),
    rings: openRings(send),
    shards: openShards(send),
    session: openSession(send),
    ...openSystem(send),
  };
}

function openQueues(send: Transport) {
  return {
    list: (query: wire.QueuesQuery = {}, options?: CallOptions) =>
      send<wire.QueueReports>('GET', withQuery('/v1/queues', query), options),
    get: async (queue: string, options?: CallOptions) =>
      send<wire.QueueReport>('GET', path`/v1/queues/${queue}`, options),
    /** Its messages of one state. */
    messages: async (queue: string, query: wire.MessagesQuery = {}, options?: CallOptions) =>
      send<wire.MessagePage>('GET', withQuery(path`/v1/queues/${queue}/messages`, query), options),
    /** Over its definition, also for what waits already; null takes a limit away again. */
    override: async (queue: string, set: wire.Override, options?: CallOptions) =>
      send<wire.Overridden>('PATCH', path`/v1/queues/${queue}`, { ...options, body: set }),
    pause: async (queue: string, options?: CallOptions) =>
      send<wire.Overridden>('POST', path`/v1/queues/${queue}/pause`, options),
    resume: async (queue: string, options?: CallOptions) =>
      send<wire.Overridden>('POST', path`/v1/queues/${queue}/resume`, options),
    /** One step of it: see purgeAll. */
    purge: async (queue: string, request: wire.PurgeRequest, options?: CallOptions) =>
      send<wire.Purged>('POST', path`/v1/queues/${queue}/purge`, { ...options, body: request }),
  };
}

function openMessages(send: Transport) {
  return {
    get: async (id: string, options?: CallOptions) =>
      send<wire.MessageReport>('GET', path`/v1/messages/${id}`, options),
    cancel: async (id: string, options?: CallOptions) =>
      send<wire.Cancelled>('DELETE', path`/v1/messages/${id}`, options),
  };
}

function openDeadLetters(send: Transport) {
  return {
    /** These, or so many of the oldest. */
    redrive: async (queue: string, request: wire.RedriveRequest, options?: CallOptions) =>
      send<wire.Redriven>('POST', path`/v1/queues/${queue}/dead/redrive`, { ...options, body: request }),
    /** One step of it: see purgeAll. */
    purge: async (queue: string, options?: CallOptions) =>
      send<wire.Purged>('DELETE', path`/v1/queues/${queue}/dead`, options),
    causes: async (queue: string, options?: CallOptions) =>
      send<wire.Causes>('GET', path`/v1/queues/${queue}/dead/causes`, options),
  };
}

function openTopics(send: Transport) {
  return {
    list: (options?: CallOptions) => send<wire.Topics>('GET', '/v1/topics', options),
    get: async (topic: string, options?: CallOptions) => send<wire.Topic>('GET', path`/v1/topics/${topic}`, options),
    /** With all of its subscriptions. */
    remove: async (topic: string, options?: CallOptions) =>
      send<wire.Unsubscribed>('DELETE', path`/v1/topics/${topic}`, options),
    /** Whatever happens on the way, it is published once: repeats go under the same key. */
    publish: async (
      topic: string,
      publication: wire.Publication,
      { idempotencyKey = createKey(), ...options }: NamedCallOptions = {},
    ) =>
      send<wire.Published>('POST', path`/v1/topics/${topic}/messages`, {
        ...options,
        body: publication,
        idempotencyKey,
      }),
    subscribe: async (topic: string, name: string, subscription: wire.Subscription, options?: CallOptions) =>
      send<wire.Subscribed>('PUT', path`/v1/topics/${topic}/subscriptions/${name}`, { ...options, body: subscription }),
    /** One that its receiver has disabled. */
    enable: async (topic: string, name: string, options?: CallOptions) =>
      send<wire.Subscribed>('POST', path`/v1/topics/${topic}/subscriptions/${name}/enable`, options),
    unsubscribe: async (topic: string, name: string, options?: CallOptions) =>
      send<wire.Unsubscribed>('DELETE', path`/v1/topics/${topic}/subscriptions/${name}`, options),
  };
}

function openSchedules(send: Transport) {
  return {
    list: (query: wire.SchedulesQuery = {}, options?: CallOptions) =>
      send<wire.SchedulePage>('GET', withQuery('/v1/schedules', query), options),
    get: async (id: string, options?: CallOptions) =>
      send<wire.ScheduleReport>('GET', path`/v1/schedules/${id}`, options),
    put: async (id: string, schedule: wire.ScheduleRequest, options?: CallOptions) =>
      send<wire.ScheduleReport>('PUT', path`/v1/schedules/${id}`, { ...options, body: schedule }),
    remove: async (id: string, options?: CallOptions) =>
      send<wire.ScheduleRemoved>('DELETE', path`/v1/schedules/${id}`, options),
    /** Its message now, besides its times. Only with a key it is repeated where no answer came. */
    run: async (id: string, options?: NamedCallOptions) =>
      send<wire.Receipt>('POST', path`/v1/schedules/${id}/run`, options),
    pause: async (id: string, options?: CallOptions) =>
      send<wire.ScheduleReport>('POST', path`/v1/schedules/${id}/pause`, options),
    resume: async (id: string, options?: CallOptions) =>
      send<wire.ScheduleReport>('POST', path`/v1/schedules/${id}/resume`, options),
  };
}

function openRings(send: Transport) {
  return {
    list: (query: wire.RingsQuery = {}, options?: CallOptions) =>
      send<wire.RingList>('GET', withQuery('/v1/rings', query), options),
    get: async (ring: string, query: wire.RingQuery = {}, options?: CallOptions) =>
      send<wire.RingItems>('GET', withQuery(path`/v1/rings/${ring}`, query), options),
    /** Behind what is there; what the ring has stays where it is. */
    add: async (ring: string, items: string[], options?: CallOptions) =>
      send<wire.RingAdded>('PUT', path`/v1/rings/${ring}/items`, { ...options, body: { items } }),
    remove: async (ring: string, items: string[], options?: CallOptions) =>
      send<wire.RingRemoved>('DELETE', path`/v1/rings/${ring}/items`, { ...options, body: { items } }),
    /** The next ones, which go to its end. */
    rotate: async (ring: string, count: number, options?: CallOptions) =>
      send<wire.Rotated>('POST', path`/v1/rings/${ring}/rotate`, { ...options, body: { count } }),
    /** With all of its items. */
    drop: async (ring: string, options?: CallOptions) =>
      send<wire.RingRemoved>('DELETE', path`/v1/rings/${ring}`, options),
  };
}

function openShards(send: Transport) {
  return {
    list: (options?: CallOptions) => send<wire.ShardList>('GET', '/v1/shards', options),
    /** New messages go there from now on. */
    activate: async (shard: string, given: { weight?: number } = {}, options?: CallOptions) =>
      send<wire.ShardNamed>('POST', path`/v1/shards/${shard}/activate`, { ...options, body: given }),
    /** Nothing new goes there. */
    drain: async (shard: string, options?: CallOptions) =>
      send<wire.ShardNamed>('POST', path`/v1/shards/${shard}/drain`, options),
    /** One step; `more` says whether to call again. */
    evacuate: async (shard: string, given: { unpin?: boolean } = {}, options?: CallOptions) =>
      send<wire.ShardEvacuated>('POST', path`/v1/shards/${shard}/evacuate`, { ...options, body: given }),
    verify: async (shard: string, options?: CallOptions) =>
      send<wire.ShardVerified>('POST', path`/v1/shards/${shard}/verify`, options),
    /** Of one that is empty, or lost with its database. */
    forget: async (shard: string, given: { lost?: boolean } = {}, options?: CallOptions) =>
      send<wire.ShardForgotten>('POST', path`/v1/shards/${shard}/forget`, { ...options, body: given }),
    weigh: async (shard: string, weight: number, options?: CallOptions) =>
      send<wire.ShardNamed>('PATCH', path`/v1/shards/${shard}`, { ...options, body: { weight } }),
    /** @param queue its name, or the beginning of several and `*` */
    pin: async (queue: string, shard: string, options?: CallOptions) =>
      send<wire.ShardPin>('PUT', '/v1/shards/pins', { ...options, body: { queue, shard } }),
    unpin: async (queue: string, options?: CallOptions) =>
      send<wire.ShardUnpinned>('DELETE', '/v1/shards/pins', { ...options, body: { queue } }),
  };
}

/** Of a browser, in the dashboard; with a token it only tells whose that is. */
function openSession(send: Transport) {
  return {
    begin: (token: string, options?: CallOptions) =>
      send<wire.NewSession>('POST', '/session', { ...options, body: { token } }),
    get: (options?: CallOptions) => send<wire.Session>('GET', '/session', options),
    end: (options?: CallOptions) => send<object>('DELETE', '/session', options),
  };
}

/** What concerns the deployment as a whole. */
function openSystem(send: Transport) {
  return {
    health: (options?: CallOptions) => send<wire.Health>('GET', '/health', options),
    stats: (query: wire.StatsQuery = {}, options?: CallOptions) =>
      send<wire.StatsReport>('GET', withQuery('/v1/stats', query), options),
    sources: (options?: CallOptions) => send<wire.SourceReports>('GET', '/v1/sources', options),
    /** Those that failed last. */
    destinations: (query: wire.DestinationsQuery = {}, options?: CallOptions) =>
      send<wire.DestinationReports>('GET', withQuery('/v1/destinations', query), options),
    leases: (query: wire.LeasesQuery = {}, options?: CallOptions) =>
      send<wire.LeasePage>('GET', withQuery('/v1/leases', query), options),
    /** A page: it works for some seconds. */
    audit: (query: wire.AuditQuery = {}, options?: CallOptions) =>
      send<wire.Findings>('GET', withQuery('/v1/audit', query), options),
    sweep: (options?: CallOptions) => send<wire.SweepReport>('POST', '/v1/sweep', options),
    /** What a cron tick does. */
    drain: (options?: CallOptions) =>
      send<wire.TickReport>('POST', '/v1/drain', { ...options, timeoutMs: TICK_TIMEOUT_MS }),
  };
}
