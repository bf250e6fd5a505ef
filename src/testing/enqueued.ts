/** Looking into queues: which messages they hold, and whether there is one as a test wants it. */
import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import type { MessageReport } from '../broker/admin.ts';
import { openAdminOn } from '../engine/admin.ts';
import type { Engine } from '../engine.ts';
import { type Duration, toMs } from '../formats/duration.ts';
import type { QueueContract } from '../queue/contract.ts';
import type { State } from '../store/admin-messages.ts';
import { isLike } from './matching.ts';

/** A queue's definition, which types its bodies, or its name. */
// biome-ignore lint/suspicious/noExplicitAny: what the handler gets is no concern of who looks at messages
export type TestedQueue<Body = unknown> = string | Pick<QueueContract<Body, any>, 'name' | 'schema'>;

/** A message in a queue; `at` is when it is due, its lease ends, or it died. */
export interface EnqueuedMessage<Body = unknown> extends MessageReport {
  body: Body;
  state: State;
}

/** What matters to a test of a message. What is left out may be anything. */
export interface WantedMessage<Body = unknown> {
  /** The fields that matter. */
  body?: PartialDeep<Body>;
  /** Default: any but `dead`. */
  state?: State;
  /** In how much time it is due, from now on. */
  delay?: Duration;
  priority?: number;
  group?: string;
  attempt?: number;
  headers?: Record<string, string>;
}

type PartialDeep<Value> = Value extends object ? { [Field in keyof Value]?: PartialDeep<Value[Field]> } : Value;

/** Messages that are still to be delivered. */
const ALIVE: State[] = ['ready', 'delayed', 'leased'];
const PAGE = 1_000;

/** @throws RangeError where the deployment has no such queue */
export async function readQueue<Body>(
  engine: Engine,
  queue: TestedQueue<Body>,
  state?: State,
): Promise<EnqueuedMessage<Body>[]> {
  const name = nameOf(queue);
  const known = engine.queues.get(name);
  if (!known) throw new RangeError(`there is no queue ${name} here`);
  const admin = openAdminOn(engine);
  const found: MessageReport[] = [];
  for (const wanted of state === undefined ? ALIVE : [state]) {
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const page: Awaited<ReturnType<typeof admin.messages>> = await admin.messages(known, wanted, PAGE, cursor);
      found.push(...page.messages);
      cursor = page.cursor;
    }
  }
  return found as EnqueuedMessage<Body>[];
}

/** @returns the first that is as wanted. @throws AssertionError that shows what the queue holds */
export async function requireMessage<Body>(
  engine: Engine,
  now: number,
  queue: TestedQueue<Body>,
  wanted: WantedMessage<Body>,
): Promise<EnqueuedMessage<Body>> {
  const held = await readQueue(engine, queue, wanted.state);
  const found = held.find((message) => isWanted(wanted, message, now));
  if (found) return found;
  const dead = wanted.state === undefined ? await readQueue(engine, queue, 'dead') : [];
  throw failure('expectEnqueued', `no message${words(wanted)} is in queue`, nameOf(queue), [...held, ...dead], now);
}

/** @throws AssertionError that shows what the queue holds */
export async function refuseMessage<Body>(
  engine: Engine,
  now: number,
  queue: TestedQueue<Body>,
  wanted: WantedMessage<Body>,
): Promise<void> {
  const held = await readQueue(engine, queue, wanted.state);
  if (!held.some((message) => isWanted(wanted, message, now))) return;
  throw failure('expectNotEnqueued', `a message${words(wanted)} is in queue`, nameOf(queue), held, now);
}

function isWanted({ delay, state: _, ...fields }: WantedMessage, message: EnqueuedMessage, now: number): boolean {
  return isLike(fields, message) && (delay === undefined || toMs(delay, 'delay') === dueInMs(message, now));
}

function dueInMs({ state, at = 0 }: EnqueuedMessage, now: number): number {
  return state === 'delayed' ? at - now : 0;
}

const nameOf = (queue: string | { name: string }) => (typeof queue === 'string' ? queue : queue.name);

const show = (value: unknown) => inspect(value, { depth: 8, breakLength: Number.POSITIVE_INFINITY });

const words = (wanted: WantedMessage) => (Object.keys(wanted).length > 0 ? ` like ${show(wanted)}` : '');

function failure(operator: string, said: string, queue: string, held: EnqueuedMessage[], now: number): AssertionError {
  const lines = held.map((message) => `\n  ${describeMessage(message, now)}`);
  const holds = held.length === 0 ? ', which is empty' : `. It holds:${lines.join('')}`;
  return new AssertionError({ message: `${said} ${queue}${holds}`, operator });
}

function describeMessage(message: EnqueuedMessage, now: number): string {
  const { state, attempt = 1, priority, group, body, failures } = message;
  const facts = [
    state === 'delayed' ? `delayed, due in ${dueInMs(message, now)} ms` : state,
    `attempt ${attempt}`,
    `priority ${priority}`,
    ...(group === undefined ? [] : [`group ${group}`]),
  ];
  const last = failures.at(-1);
  return `${facts.join(', ')}: ${show(body)}${last ? ` (last failure: ${last.kind} ${last.text})` : ''}`;
}
