/** A producer as it should be: it sends over HTTP and repeats under the same Idempotency-Key until it has an answer. */
import { randomUUID } from 'node:crypto';

export interface Posted {
  id: string;
  queue: string;
}

export interface HttpMessage {
  queue: string;
  body: unknown;
  /** How long its result is kept. Only of a batch. */
  resultTtl?: string;
}

export interface HttpProducer {
  /** One message. */
  post(message: HttpMessage): Promise<Posted>;
  /** Up to 1,000 messages in one request. */
  postAll(messages: HttpMessage[]): Promise<Posted[]>;
  /** Requests sent again because no answer came. */
  repeats(): number;
}

const GIVE_UP_MS = 30_000;

/** @param url the Worker's at the time: it may be replaced while a request is under way */
export function httpProducer(url: () => string, token: string): HttpProducer {
  let repeats = 0;

  async function send(path: string, body: unknown): Promise<unknown> {
    const key = randomUUID();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key };
    for (const start = performance.now(); ; repeats++) {
      const answer = await fetch(url() + path, { method: 'POST', headers, body: JSON.stringify(body) }).catch(
        () => undefined,
      );
      if (answer?.ok) return answer.json();
      const wrong = answer !== undefined && answer.status < 500;
      if (wrong || performance.now() - start > GIVE_UP_MS)
        throw new Error(`POST ${path}: ${(await answer?.text()) ?? 'no answer'}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  return {
    post: async ({ queue, body }) => (await send(`/v1/queues/${queue}/messages`, { body })) as Posted,
    postAll: async (messages) => ((await send('/v1/messages', { messages })) as { messages: Posted[] }).messages,
    repeats: () => repeats,
  };
}
