// One invocation, in the Worker's isolate: what is counted for it, and when all of it is over.
import { AsyncLocalStorage } from 'node:async_hooks';
import { resumeClock } from './clock.ts';
import { type Connections, newConnections } from './connections.ts';
import { ID, LOAD, TICK, type Told } from './wire.ts';

export interface Invocation {
  /** Of the limit `connections`. */
  connections: Connections;
  /** What it asked for, refused ones included. */
  subrequests: number;
  refused: number;
  /** Handed to waitUntil. */
  behind: Promise<unknown>[];
}

const invocations = new AsyncLocalStorage<Invocation>();

/** The one that the running code belongs to. @throws TypeError outside of any, as the platform does for I/O at the top level */
export function currentInvocation(): Invocation {
  const invocation = invocations.getStore();
  if (!invocation) throw new TypeError('I/O outside of any invocation');
  return invocation;
}

type Worker = Required<Pick<ExportedHandler<object>, 'fetch'>> & Pick<ExportedHandler<object>, 'scheduled'>;

/** The Worker as the platform calls it. */
export function invoked(worker: Worker): ExportedHandler<object> {
  return {
    async fetch(request, env, given) {
      const { pathname } = new URL(request.url);
      if (pathname === LOAD) return new Response();
      resumeClock();
      const invocation: Invocation = { connections: newConnections(), subrequests: 0, refused: 0, behind: [] };
      const context = countingContext(given, invocation);
      const what = pathname === TICK ? 'tick' : `${request.method} ${pathname}`;
      const answer = invocations.run(invocation, () =>
        pathname === TICK ? tick(worker, env, context) : worker.fetch(request, env, context),
      );
      const answered = Promise.resolve(answer);
      given.waitUntil(tell(what, request, answered, invocation));
      return answered;
    },
  };
}

/** Keeps the invocation no longer than the platform does: a caller who leaves takes with it what is not behind the answer. */
async function tell(what: string, request: Request, answered: Promise<unknown>, invocation: Invocation): Promise<void> {
  const left = new Promise((resolve) => request.signal.addEventListener('abort', resolve));
  await Promise.race([answered.catch(() => {}), left]);
  await allOf(invocation);
  const { subrequests, refused, connections } = invocation;
  const counted = { subrequests, refused, queued: connections.queued };
  console.log(JSON.stringify({ platform: 'invocation', id: request.headers.get(ID), what, ...counted } satisfies Told));
}

async function tick(worker: Worker, env: object, context: ExecutionContext): Promise<Response> {
  const controller = { cron: '* * * * *', scheduledTime: Date.now(), noRetry: () => {} } as ScheduledController;
  try {
    await worker.scheduled?.(controller, env, context);
    return new Response();
  } catch (error) {
    return new Response(String(error), { status: 500 });
  }
}

function countingContext(given: ExecutionContext, { behind }: Invocation): ExecutionContext {
  return {
    waitUntil(work: Promise<unknown>) {
      behind.push(work.catch(() => {}));
      given.waitUntil(work);
    },
    passThroughOnException: () => given.passThroughOnException(),
    props: given.props,
    constructor: given.constructor, // by which it is known as a context of one invocation
  } as ExecutionContext;
}

/** What is behind the answer may put more behind it. */
async function allOf({ behind }: Invocation): Promise<void> {
  for (let known = -1; known < behind.length; ) {
    known = behind.length;
    await Promise.all(behind);
  }
}
