/** A deployment as the doctor sees it: answers as they come, refusals too, because those are what it looks for. */
import { errorOf } from '../../client/error.ts';
import { SluiceError } from '../../client/index.ts';
import { send } from '../api.ts';

export interface Seen {
  status: number;
  /** Of the problem, where it was one. */
  code: string | undefined;
  body: unknown;
  /** The server's clock by the Date header, epoch ms, in whole seconds. */
  dateAt: number | undefined;
  /** How long the answer took. */
  ms: number;
  /** By the clock of this machine. */
  receivedAt: number;
}

export interface Site {
  readonly url: string;
  readonly hasToken: boolean;
  /** With the token unless `anonymous`. @throws SluiceError where no answer comes */
  see(method: 'GET' | 'POST', path: string, options?: { body?: object; anonymous?: true }): Promise<Seen>;
}

export function openSite(url: string, token: string | undefined): Site {
  return {
    url,
    hasToken: token !== undefined,
    async see(method, path, { body, anonymous } = {}) {
      const headers: Record<string, string> = {};
      if (token !== undefined && !anonymous) headers.authorization = `Bearer ${token}`;
      const startedAt = performance.now();
      const answer = await send(url + path, method, headers, body);
      const receivedAt = Date.now();
      const date = Date.parse(answer.headers.get('date') ?? '');
      return {
        status: answer.status,
        dateAt: Number.isNaN(date) ? undefined : date,
        ms: performance.now() - startedAt,
        receivedAt,
        ...(answer.ok
          ? { code: undefined, body: await jsonOf(answer) }
          : { code: (await errorOf(answer)).code, body: undefined }),
      };
    },
  };
}

async function jsonOf(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch {
    throw new SluiceError(0, 'garbled', 'the answer is not JSON');
  }
}
