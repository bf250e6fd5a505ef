/** What is well, doubtful or wrong about what was seen. Pure. */
import {
  countReady,
  type DestinationReport,
  type Findings,
  type Health,
  type QueueReport,
  type ShardList,
  type SourceReport,
  type StatsCounters,
} from '../../client/admin.ts';
import { lengthOf } from '../time.ts';
import { type Finding, finding } from './finding.ts';

/** The API has epoch ms for notBefore: a caller whose clock is off is early or late by as much. */
const CLOCK_WARN_MS = 2_000;
type ShardHealth = NonNullable<Health['shards']>[number];
type AuditFinding = Findings['findings'][number];

/** Cron ticks each minute; one may be late or lost. */
const SWEEP_WARN_MS = 150_000;
const SWEEP_FAIL_MS = 600_000;
/** A sweep that finds nothing to do is noted so often. */
const NOTED_MS = 600_000;
const TRIGGER =
  'does the cron of its platform call it each minute (docs/adopt.md)? A new trigger of Cloudflare takes up to 15 minutes to spread; `POST /v1/sweep` and `POST /v1/drain` do its work by hand';
const MINUTE_MS = 60_000;
const BACKLOG_WARN_MS = 5 * MINUTE_MS;

/** @param doubtMs by how much the difference may be wrong: half the way there and back, and the steps of the clock */
export function judgeClock(serverAt: number, localAt: number, doubtMs: number): Finding {
  const offMs = Math.max(0, Math.abs(serverAt - localAt) - doubtMs);
  const ahead = serverAt > localAt ? 'behind' : 'ahead of';
  if (offMs <= CLOCK_WARN_MS) return finding('clock', 'ok', `this machine agrees, within ${lengthOf(doubtMs + offMs)}`);
  const found = `this machine is ${lengthOf(offMs)} or more ${ahead} the server`;
  return finding('clock', 'warn', found, 'set its clock (NTP): instants such as notBefore come from it');
}

/** What tells whether cron runs. Instants are epoch ms by the server's clock. */
export interface Signs {
  /** Whether it keeps counters: without them nothing is known of its sweeps. */
  hasStats: boolean;
  /** When a sweep last ran; one that found nothing to do is noted every ten minutes only. */
  lastSweepAt?: number | undefined;
  /** Since when something is to be counted that no sweep has counted. */
  uncountedAt?: number | undefined;
  /** When the first message was due that is still delayed. */
  overdueAt?: number | undefined;
}

export function judgeCron({ hasStats, lastSweepAt, uncountedAt, overdueAt }: Signs, now: number): Finding {
  const waitsMs = now - Math.min(uncountedAt ?? now, overdueAt ?? now);
  if (waitsMs > SWEEP_WARN_MS) {
    const status = waitsMs > SWEEP_FAIL_MS ? 'fail' : 'warn';
    return finding('cron', status, `what a sweep has to do has waited ${lengthOf(waitsMs)}`, TRIGGER);
  }
  if (!hasStats) return finding('cron', 'skip', 'nothing tells when it ran; nothing is overdue');
  if (lastSweepAt === undefined) {
    const found = 'no sweep has run yet; the first comes with the first full minute of a deployment';
    return finding('cron', 'warn', found, `look again in two minutes; if it stands then: ${TRIGGER}`);
  }
  const quietMs = now - lastSweepAt;
  if (quietMs <= NOTED_MS + SWEEP_WARN_MS)
    return finding('cron', 'ok', `swept ${lengthOf(quietMs)} ago (idle, it is noted every ${lengthOf(NOTED_MS)})`);
  const found = `swept ${lengthOf(quietMs)} ago; a cron that runs leaves a sign every ten minutes`;
  return finding('cron', quietMs > NOTED_MS + SWEEP_FAIL_MS ? 'fail' : 'warn', found, TRIGGER);
}

/** @returns the end of the first minute in which something ended after the last sweep that counted */
export function uncountedOf(
  points: (Pick<StatsCounters, 'acked' | 'retried' | 'dead'> & { at: number })[],
  lastSweepAt: number,
): number | undefined {
  const first = points.find(({ at, acked, retried, dead }) => at > lastSweepAt && acked + retried + dead > 0);
  return first && first.at + MINUTE_MS;
}

/** One finding for all that are well, and one for each that is not. */
export function judgeQueues(queues: QueueReport[], now: number): Finding[] {
  const findings = queues.flatMap((report) => [
    ...judgeUnknown(report),
    ...judgeSecrets(report),
    ...judgePause(report),
    ...judgeBacklog(report, now),
    ...judgeDead(report),
  ]);
  if (findings.length > 0) return findings;
  if (queues.length === 0) return [finding('queues', 'ok', 'no queue for this token')];
  const oldest = Math.min(...queues.map(({ oldestReadyAt = now }) => oldestReadyAt));
  const waits = oldest < now ? `the oldest message has waited ${lengthOf(now - oldest)}` : 'nothing is ready';
  return [finding('queues', 'ok', `${queues.length} queues, ${waits}`)];
}

/** What left the code is delivered to nobody. */
function judgeUnknown({ queue, kind, ready, delayed, leased, dead }: QueueReport): Finding[] {
  if (kind !== 'unknown') return [];
  const held = countReady({ ready }) + delayed + leased + dead;
  const found = `${queue} is not in the code of this deployment, and holds ${held} messages`;
  return [finding('unknown', 'warn', found, `deploy it again, or sluice purge ${queue} --state ready,delayed,dead`)];
}

/** Its messages wait, and lose no attempt. */
function judgeSecrets({ queue, missingSecrets = [] }: QueueReport): Finding[] {
  return missingSecrets.map((name) => {
    const found = `${queue} delivers nothing: ${name} holds no signing secret (whsec_ and base64 of 24 to 64 bytes)`;
    return finding(
      'secrets',
      'warn',
      found,
      `set it where the platform has its secrets (of a Worker: npx wrangler secret put ${name}), in development in the file of its settings, as ${name}=whsec_…; a Worker names it under [secrets] too`,
    );
  });
}

function judgePause({ queue, paused, ready }: QueueReport): Finding[] {
  if (!paused) return [];
  const found = `${queue} is paused, ${countReady({ ready })} wait`;
  return [finding('paused', 'warn', found, `sluice resume ${queue}`)];
}

function judgeBacklog(
  { queue, kind, paused, oldestReadyAt = Number.POSITIVE_INFINITY, oldestComplete = true }: QueueReport,
  now: number,
): Finding[] {
  const age = now - oldestReadyAt;
  if (paused || kind === 'unknown' || age < BACKLOG_WARN_MS) return [];
  const todo =
    kind === 'pull'
      ? 'are its consumers running, and enough of them?'
      : 'does cron run, is SLUICE_DRAIN_REQUESTS that of your plan, and can drains start others (DRAINER or SLUICE_URL: docs/configuration.md)?';
  return [
    finding(
      'backlog',
      'warn',
      `the oldest message of ${queue} has waited ${lengthOf(age)}${oldestComplete ? '' : ' or more'}`,
      todo,
    ),
  ];
}

function judgeDead({ queue, dead }: QueueReport): Finding[] {
  if (dead === 0) return [];
  return [
    finding(
      'dead',
      'warn',
      `${queue} has ${dead} dead ${dead === 1 ? 'letter' : 'letters'}`,
      `sluice dead list ${queue}`,
    ),
  ];
}

/** Those that failed too often in a row; their messages wait. */
export function judgeDestinations(destinations: DestinationReport[]): Finding {
  const down = destinations.filter(({ state }) => state !== 'closed');
  if (down.length === 0) return finding('outgoing', 'ok', 'no destination is left alone');
  const names = down.map(({ queue, group, failures }) => `${group ?? queue} (${failures} failures)`);
  const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? `, and ${names.length - 5} more` : '');
  return finding('outgoing', 'warn', `left alone: ${shown}`, 'are they up? The errors stand with their messages');
}

/** One finding for all that are well, and one for each that is not; none where there is one shard. */
export function judgeShards(shards: ShardHealth[] = []): Finding[] {
  const findings = shards.flatMap(({ shard, status, state }): Finding[] => {
    if (status === 'down') {
      const todo = 'is its url right, its token set, and the database up?';
      return [finding('shards', 'fail', `${shard} does not answer: what it owns stands still`, todo)];
    }
    if (state === 'joining')
      return [
        finding('shards', 'warn', `${shard} is joining, and gets nothing new`, `sluice shards activate ${shard}`),
      ];
    if (state !== 'draining') return [];
    return [finding('shards', 'warn', `${shard} is draining, and gets nothing new`, `sluice shards evacuate ${shard}`)];
  });
  if (findings.length > 0 || shards.length === 0) return findings;
  return [finding('shards', 'ok', `${shards.length} shards, all answer`)];
}

/** Of what is held. */
const MOST_HELD = 5;

/** What has its home elsewhere than where placement says: by hand, or until something is empty. None where nothing has. */
export function judgePins({ pins, held }: Pick<ShardList, 'pins' | 'held'>): Finding[] {
  const findings: Finding[] = [];
  if (pins.length > 0) {
    const byHand = pins.map(({ queue, shard }) => `${queue} to ${shard}`).join(', ');
    findings.push(finding('pins', 'ok', `pinned by hand: ${byHand}`));
  }
  if (held.length > 0) {
    const some = held.slice(0, MOST_HELD).map(({ queue, shard, home }) => `${queue} on ${shard} (then on ${home})`);
    const more = held.length > MOST_HELD ? `, and ${held.length - MOST_HELD} more` : '';
    const found = `held until their shard is empty of them: ${some.join(', ')}${more}`;
    const todo = 'a tick lets each go when it is; docs/scale.md says what to do about one that never is';
    findings.push(finding('pins', 'warn', found, todo));
  }
  return findings;
}

/** @param repairing what to do about most of them */
export function judgeAudited({ finding: what, name, shard, messages = 0 }: AuditFinding, repairing: string): Finding {
  switch (what) {
    case 'shard-away':
      return finding('audit', 'warn', `${name} does not answer, and was not looked at`, 'run it again when it does');
    case 'epoch-differs':
      return finding('audit', 'warn', `${name} has not the map of the others`, 'the next tick gives it that');
    case 'parcel-stuck':
      return finding(
        'audit',
        'warn',
        `${name} holds ${messages} parcels for other shards, the oldest for more than 5 minutes`,
        'is a shard away, or does cron not run? They go by themselves when it is back',
      );
    case 'undelivered':
      return finding(
        'audit',
        'fail',
        `${name} has given up ${messages} parcels: their shard was away for a week`,
        'docs/operations.md, "Several shards", says what they hold',
      );
    case 'misplaced-queue':
      return finding(
        'audit',
        'warn',
        `${shard} has ${messages} messages of ${name}, which has its home elsewhere: its order and limits are those of two shards`,
        'it ends when these are done: nothing new comes there. A limit that was set since is such a case',
      );
    case 'pin-without-messages':
      return finding(
        'audit',
        'warn',
        `${name} is held on ${shard}, which has nothing of it`,
        'does cron run? A tick lets it go',
      );
    default:
      return finding('audit', 'fail', `${what} ${name}${shard === undefined ? '' : ` on ${shard}`}`, repairing);
  }
}

/** What came in to one that is closed was refused; those of an older deployment do not say whether they are. */
export function judgeSources(sources: (Pick<SourceReport, 'source' | 'reason'> & { open?: boolean })[]): Finding[] {
  const closed = sources.filter(({ open = true }) => !open);
  if (closed.length === 0) return [finding('sources', 'ok', `${sources.length} sources, all open`)];
  return closed.map(({ source, reason }) => {
    const why = reason === undefined ? '' : `: ${reason}`;
    const todo =
      'set the secret that its definition names (of a Worker: npx wrangler secret put NAME), or take it out of the code';
    return finding('sources', 'warn', `${source} is closed, and answers 503 to every webhook${why}`, todo);
  });
}

/** @param answers what the server said to a request of each scope that changes nothing */
export function judgeScopes(
  answers: Record<string, { status: number; code: string | undefined; detail?: string | undefined }>,
): Finding {
  const entries = Object.entries(answers);
  const stranger = entries.find(([, { code }]) => code === 'unauthorized');
  if (stranger) {
    return finding(
      'token',
      'fail',
      `it is not known here (${stranger[1].detail})`, // where the deployment has none at all, it says so
      'take one that the deployment has (SLUICE_TOKEN…); `sluice token` makes one',
    );
  }
  const has = entries.filter(([, { status }]) => status === 200 || status === 422).map(([scope]) => scope);
  const lacks = entries.filter(([, { code }]) => code === 'forbidden').map(([scope]) => scope);
  const without = lacks.length > 0 ? `; it lacks ${lacks.join(', ')}` : '';
  return finding('token', 'ok', `it may ${has.join(', ') || 'do nothing here'}${without}`);
}
