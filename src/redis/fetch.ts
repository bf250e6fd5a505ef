/** To Redis by `fetch`: everywhere, but where a resident process brings another client along. */

import { connectBy, type Post } from './protocol.ts';
import { throwUnanswered } from './refusal.ts';
import type { Connect } from './send.ts';

export const connect: Connect = (connection) => connectBy(post, connection);

const post: Post = async (address, { headers, body, timeoutMs }) => {
  const signal = AbortSignal.timeout(timeoutMs);
  // Not followed: the token is for this address.
  const init: RequestInit = { method: 'POST', headers, body, signal, redirect: 'manual' };
  const answer = await fetch(address, init).catch(throwUnanswered);
  const text = await answer.text().catch(throwUnanswered);
  return { status: answer.status, header: (name) => answer.headers.get(name), text };
};
