/** To Redis by `undici.request`, which costs half as much as Node's `fetch`: for a resident process of Node, docs/decisions/0013. */
import { request } from 'undici';
import { connectBy, type Post } from './protocol.ts';
import { throwUnanswered, unanswered } from './refusal.ts';
import type { Connect } from './send.ts';

export const connect: Connect = (connection) => connectBy(post, connection);

const post: Post = (address, { headers, body, timeoutMs }) =>
  within(timeoutMs, async (signal) => {
    const init = { method: 'POST', headers, body, signal } as const;
    const answer = await request(address, init).catch(throwUnanswered);
    const text = await answer.body.text().catch(throwUnanswered);
    return { status: answer.statusCode, header: (name) => answer.headers[name], text };
  });

/** The signal alone would not do: undici hears it only once it is connected, and gives a connection ten seconds. */
async function within<Result>(ms: number, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const reason = new DOMException('no answer in time', 'TimeoutError');
    controller.abort(reason);
    reject(unanswered(reason));
  }, ms);
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
