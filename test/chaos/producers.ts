/**
 * Producers: they enqueue over HTTP or straight through the store, repeat what was not answered, and sometimes give up.
 *
 * One that gives up does not know what became of its request; the checker allows either.
 */
import { StorageError } from '../../src/errors.ts';
import { newToken } from '../../src/message/ids.ts';
import type { Store } from '../../src/store/store.ts';
import type { History } from './history.ts';
import { type Planned, prepareMessage, requestOf } from './messages.ts';
import type { Chance } from './random.ts';

/** Sends one request once. @returns how it ended, with the ids; `full`: storage took nothing, and may another time */
type Attempt = (messages: Planned[]) => Promise<'unanswered' | 'full' | 'refused' | string[]>;

/** One request, begun afresh: its attempts are repeats of each other. */
export type Send = (chance: Chance) => Attempt;

export interface ProducerOptions {
  send: Send;
  plan: () => Planned;
  history: History;
  chance: Chance;
  /** No new request while this says no; `few`: a small one. */
  mayGoOn: () => 'yes' | 'few' | 'later' | 'no';
}

const BATCH = 100;
const FEW = 16; // of which a drain may be handed all at once
const PATIENCE = 60; // attempts: more than an outage in this run lasts
const IMPATIENT = 0.03; // of requests, that give up after the first attempt
const REPEAT_AFTER_MS = 100;
const LATER_MS = 20;

/** Enqueues until it is told to stop. */
export async function produce(options: ProducerOptions): Promise<void> {
  const { send, plan, history, chance, mayGoOn } = options;
  for (;;) {
    const word = mayGoOn();
    if (word === 'no') return;
    if (word === 'later') {
      await sleep(LATER_MS);
      continue;
    }
    const most = word === 'few' ? FEW : BATCH;
    const messages = Array.from({ length: chance.happens(0.3) ? 1 : chance.whole(2, most) }, plan);
    const patience = chance.happens(IMPATIENT) ? 1 : PATIENCE;
    const request = history.begin(messages.map(({ key }) => key));
    const answer = await persist(send(chance), messages, patience);
    if (answer === 'unanswered') history.record({ what: 'unknown', request });
    else if (answer === 'refused') history.record({ what: 'failed', request });
    else history.record({ what: 'ok', request, ids: answer });
  }
}

/** Until it is answered, or patience is over. Where each answer was that nothing is stored, nothing may be. */
async function persist(attempt: Attempt, messages: Planned[], patience: number) {
  let mayBeStored = false;
  for (let tries = 1; ; tries++) {
    const answer = await attempt(messages);
    if (answer !== 'unanswered' && answer !== 'full') return answer;
    mayBeStored ||= answer === 'unanswered';
    if (tries >= patience) return mayBeStored ? 'unanswered' : 'refused';
    await sleep(REPEAT_AFTER_MS);
  }
}

/** Of batches, one has a message that cannot be: the whole batch must be refused. */
const SPOILT = 0.01;
const ANSWER_WITHIN_MS = 20_000;

/** How a request gets to a deployment. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Over HTTP, repeated under one Idempotency-Key.
 * @param url the Worker's at the time
 * @param send left out, over the network
 */
export function overHttp(url: () => string, token: string, send: Fetch = fetch): Send {
  return (chance) => {
    const key = newToken();
    const spoilt = chance.happens(SPOILT);
    return async (messages) => {
      const sent: Record<string, unknown>[] = messages.map(requestOf);
      if (spoilt) sent.push({ queue: 'no.such.queue', body: null });
      const [{ queue, ...single } = {}] = sent;
      const path = sent.length === 1 ? `/v1/queues/${queue}/messages` : '/v1/messages';
      const answer = await post(send, url() + path, token, key, sent.length === 1 ? single : { messages: sent });
      if (!answer || answer.status >= 500) return 'unanswered';
      if (answer.status >= 400) return 'refused';
      const { messages: receipts = [answer.body as Receipt] } = answer.body as { messages?: Receipt[] };
      return receipts.map(({ id }) => id);
    };
  };
}

interface Receipt {
  id: string;
}

async function post(send: Fetch, url: string, token: string, key: string, body: unknown) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key };
  const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
  try {
    const answer = await send(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
    return { status: answer.status, body: (await answer.json()) as unknown };
  } catch {
    return undefined; // the Worker was killed: it may have stored all of it
  }
}

/**
 * Through the store, repeated under one request token.
 * @param open a store that tells of each request of its own that got no answer: it repeats such by itself
 */
export function throughStore(open: (onUnanswered: () => void) => Store): Send {
  return () => {
    const token = newToken();
    return async (messages) => {
      let answered = true;
      const store = open(() => {
        answered = false;
      });
      try {
        return (await store.enqueue({ messages: messages.map(prepareMessage), token })).ids;
      } catch (error) {
        if (error instanceof StorageError) return answered && error.code === 'refused' ? 'full' : 'unanswered';
        throw error;
      }
    };
  };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
