/** A deployment as the doctor sees it: answers as they come, refusals too, because those are what it looks for. */
import { errorOf, type SluiceError } from '../../client/error.ts';
import { send } from '../api.ts';

export interface Seen {
  status: number;
  /** Of the problem, where it was one. */
  code: string | undefined;
  /** What the problem says, where it was one. */
  detail: string | undefined;
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
      return send(url + path, { method, headers, body }, async (answer) => {
        const receivedAt = Date.now();
        const ms = performance.now() - startedAt;
        const date = Date.parse(answer.headers.get('date') ?? '');
        const content = answer.ok
          ? { code: undefined, detail: undefined, body: await answer.json() }
          : { ...saidIn(await errorOf(answer)), body: undefined };
        return { status: answer.status, dateAt: Number.isNaN(date) ? undefined : date, ms, receivedAt, ...content };
      });
    },
  };
}

const saidIn = ({ code, message }: SluiceError) => ({ code, detail: message });
