/** What is Cloudflare's own: a Durable Object that drains, an entrypoint for other Workers, and the way from its Queues to here. */
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';
import type { Receipt } from '../broker/producer.ts';
import { toProblem } from '../http/problem.ts';
import { logError, nameOfError } from '../log.ts';
import type { MessageOptions } from '../message/options.ts';
import type { FetchContext } from '../runtime/wait-until.ts';
import type { NamedMessage, Sluice } from '../sluice.ts';

export { toBinding, toHandler } from './cloudflare-queues.ts';

/** The class of a drainer, by a name: types that are published have no anonymous classes. */
type DrainerClass<Env> = new (
  state: DurableObjectState,
  env: Env,
) => DurableObject<Env> & { wake(at: number): Promise<boolean>; start(): Promise<boolean>; alarm(): Promise<void> };

/** The class of an entrypoint for other Workers. Its calls throw an Error: see remoteError. */
type QueuesClass<Env> = new (
  context: ExecutionContext,
  env: Env,
) => WorkerEntrypoint<Env> & {
  enqueue(queue: string, body: unknown, options?: MessageOptions): Promise<Receipt>;
  /** 1 to 1000 messages, all or none, in one request. */
  enqueueMany(messages: NamedMessage[]): Promise<Receipt[]>;
};

/**
 * The class of a Durable Object that drains. It is used where the Worker binds it as DRAINER.
 * @example export const SluiceDrainer = drainerOf(sluice)
 */
export function drainerOf<Env extends object>(sluice: Sluice<Env>): DrainerClass<Env> {
  return class SluiceDrainer extends DurableObject<Env> {
    readonly #drainer = sluice.drainer(this.env, this.ctx);

    wake(at: number): Promise<boolean> {
      return this.#drainer.wake(at);
    }

    start(): Promise<boolean> {
      return this.#drainer.start();
    }

    override alarm(): Promise<void> {
      return this.#drainer.alarm();
    }
  };
}

/**
 * The class of an entrypoint through which other Workers enqueue: they bind it as a service, and need no token.
 * @example export const SluiceQueues = queuesOf(sluice)
 */
export function queuesOf<Env extends object>(sluice: Sluice<Env>): QueuesClass<Env> {
  return class SluiceQueues extends WorkerEntrypoint<Env> {
    enqueue(queue: string, body: unknown, options?: MessageOptions): Promise<Receipt> {
      return crossing(this.ctx, async () => sluice.named(this.env, this.ctx).enqueue(queue, body, options));
    }

    enqueueMany(messages: NamedMessage[]): Promise<Receipt[]> {
      return crossing(this.ctx, async () => sluice.named(this.env, this.ctx).enqueueMany(messages));
    }
  };
}

async function crossing<Answer>(context: FetchContext, call: () => Promise<Answer>): Promise<Answer> {
  const calling = call();
  context.waitUntil(calling.catch(() => {})); // a caller that goes away does not stop the write
  try {
    return await calling;
  } catch (error) {
    throw remoteError(error);
  }
}

/**
 * An error for another Worker: all of it is in its text, because nothing else crosses for sure.
 * `code` and `issues` are those of a problem of the HTTP API.
 */
function remoteError(error: unknown): Error {
  const { code, message, issues } = toProblem(error);
  if (code === 'misconfigured') logError('bad settings', { settings: (error as Error).message });
  if (code === 'internal') logError('call of another Worker failed', { error: nameOfError(error) });
  const said = issues?.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
  const remote = new Error(`${code}: ${said ?? message}`);
  return Object.assign(remote, { name: 'SluiceError', code, ...(issues ? { issues } : {}) });
}
