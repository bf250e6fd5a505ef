// Several shards and their parcels against a model that knows nothing of them: what was accepted is handled once, whole requests only.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Engine } from '../../src/engine.ts';
import { StorageError } from '../../src/errors.ts';
import { shortDigest } from '../../src/formats/digest.ts';
import { defineQueue } from '../../src/index.ts';
import type { Message } from '../../src/message/message.ts';
import { type Mishap, onShards } from '../support/sharded.ts';

const SHARDS = 3;
const SEED = Number(process.env.SLUICE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env.SLUICE_RUNS ?? 5);
console.info(`shards: ${RUNS} runs, seed ${SEED} (SLUICE_RUNS and SLUICE_SEED set them)`);
const TIME_MS = 60_000;
/** Queues enough that each shard has some. */
const QUEUES = ['a', 'b', 'c', 'd', 'e', 'f'];
/** More than a lease, a retry or the delay of a parcel. */
const STEP_MS = 61_000;
const ROUNDS = 20;

const stage = onShards(SHARDS);

/** One call of somebody, and what befalls the requests to storage meanwhile, in their order. */
interface Step {
  act: { what: 'enqueue'; queues: string[]; named: boolean; follows: boolean } | { what: 'repeat' } | { what: 'tick' };
  mishaps: Mishap[];
}

const mishap = fc.oneof(
  { weight: 8, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom<Mishap>('lost', 'away') },
);
const step: fc.Arbitrary<Step> = fc.record({
  act: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        what: fc.constant('enqueue' as const),
        queues: fc.array(fc.constantFrom(...QUEUES), { minLength: 1, maxLength: 5 }),
        named: fc.boolean(),
        follows: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ what: 'repeat' as const }) },
    { weight: 2, arbitrary: fc.constant({ what: 'tick' as const }) },
  ),
  mishaps: fc.array(mishap, { maxLength: 12 }),
});

/** What a caller knows of a request: an error says nothing of it. */
interface Request {
  token: string | undefined;
  inputs: { queue: string; key: string }[];
  follows: boolean;
  ids: string[] | undefined;
}

test(
  'what is accepted is handled once, and no request is there in part, whatever gets lost',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const handled: { key: string; id: string; attempt: number }[] = [];
        const handler = ({ id, attempt, body }: Message) => {
          handled.push({ id, attempt, key: (body as { key: string }).key });
        };
        const queues = QUEUES.map((name) => defineQueue(name, { handler }));
        const requests = await playOut(stage().engine(queues), steps);
        await settleAll(stage().engine(queues)); // an isolate that leaves no shard alone for what went wrong before
        for (const request of requests) expectWhole(request, handled);
        const known = new Set(requests.flatMap(keysOf));
        expect(handled.filter(({ key }) => !known.has(key))).toEqual([]);
        const entries = handled.map(({ id, attempt }) => `${attempt}.${id}`);
        expect(new Set(entries).size).toBe(entries.length);
      }),
      { numRuns: RUNS, seed: SEED, interruptAfterTimeLimit: TIME_MS - 10_000 },
    );
  },
  TIME_MS,
);

const doneOf = (key: string) => `${key} done`;
const keysOf = ({ inputs, follows }: Request) => inputs.flatMap(({ key }) => (follows ? [key, doneOf(key)] : [key]));

let made = 0;

async function playOut(engine: Engine, steps: Step[]): Promise<Request[]> {
  const requests: Request[] = [];
  for (const { act, mishaps } of steps) {
    const left = [...mishaps];
    stage().mishap = () => left.shift();
    if (act.what === 'tick') await unlessLost(engine.tick(true));
    else if (act.what === 'repeat') await repeat(engine, requests);
    else {
      const inputs = act.queues.map((queue) => ({ queue, key: `${made++}` }));
      const token = act.named ? await shortDigest(`request ${made++}`) : undefined;
      const request: Request = { token, inputs, follows: act.follows, ids: undefined };
      requests.push(request);
      request.ids = await unlessLost(send(engine, request));
    }
  }
  stage().mishap = () => undefined;
  return requests;
}

/** The last request with a name, once more. */
async function repeat(engine: Engine, requests: Request[]): Promise<void> {
  const request = requests.findLast(({ token }) => token !== undefined);
  if (!request) return;
  const ids = await unlessLost(send(engine, request));
  if (request.ids && ids) expect(ids).toEqual(request.ids);
  request.ids ??= ids;
}

async function send(engine: Engine, { token, inputs, follows }: Request): Promise<string[]> {
  const [other] = QUEUES;
  const given = inputs.map(({ queue, key }, i) => ({
    queue: engine.queues.get(queue),
    body: { key },
    options: follows ? { onSuccess: { queue: other, body: { key: doneOf(key) } } } : {},
    path: `messages[${i}].`,
  }));
  const name = token === undefined ? undefined : { token, fingerprint: 'same', recognisedMs: 86_400_000 };
  const { receipts } = await engine.enqueue(given, name);
  return receipts.map(({ id }) => id);
}

async function unlessLost<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}

async function settleAll(engine: Engine): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    stage().aheadMs += STEP_MS;
    await engine.tick(true);
    const parcels = await stage().parcels(); // first, for what is in one now may be a message a moment later, and never the other way round
    if (parcels.length + (await stage().messages()).length === 0) return;
  }
  throw new Error(`left over: ${JSON.stringify(await stage().messages())}, ${JSON.stringify(await stage().parcels())}`);
}

function expectWhole(request: Request, handled: { key: string; id: string }[]): void {
  const ids = keysOf(request).map((key) => [...new Set(handled.filter((one) => one.key === key).map(({ id }) => id))]);
  const counts = new Set(ids.map(({ length }) => length));
  if (request.ids) expect(ids.filter((_, i) => !request.follows || i % 2 === 0)).toEqual(request.ids.map((id) => [id]));
  expect([...counts], 'each once, or none of them').toEqual([request.ids || counts.has(1) ? 1 : 0]);
}
