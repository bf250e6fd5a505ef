/** A deployment as the doctor sees it: answers as they come, refusals too, because those are what it looks for. */
import { type Admin, openAdmin } from '../../client/admin.ts';
import { type Client, openClient } from '../../client/client.ts';
import { SluiceError } from '../../client/error.ts';
import { createTransport, type Fetch } from '../../client/transport.ts';

export interface Seen<Answer = unknown> {
  status: number;
  /** Of the problem, where it was one. */
  code: string | undefined;
  /** What the problem says, where it was one. */
  detail: string | undefined;
  /** Where it was none. */
  body: Answer | undefined;
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
  /** What a call gets, with the token unless `anonymous`. @throws SluiceError where no answer comes */
  see<Answer>(call: (calls: Calls) => Promise<Answer>, options?: { anonymous?: boolean }): Promise<Seen<Answer>>;
}

/** What a deployment can be asked: as an operator, and as the programs that enqueue and consume. */
type Calls = Admin & Pick<Client, 'enqueueMany' | 'receive'>;

export function openSite(url: string, token: string | undefined): Site {
  return {
    url,
    hasToken: token !== undefined,
    async see(call, { anonymous = false } = {}) {
      const startedAt = performance.now();
      let seen = { status: 0, dateAt: undefined as number | undefined, ms: 0, receivedAt: 0 };
      const watched: Fetch = async (to, init) => {
        const answer = await fetch(to, init);
        const date = Date.parse(answer.headers.get('date') ?? '');
        const ms = performance.now() - startedAt;
        seen = { status: answer.status, dateAt: Number.isNaN(date) ? undefined : date, ms, receivedAt: Date.now() };
        return answer;
      };
      const send = createTransport({ url, token: anonymous ? undefined : token, fetch: watched, repeat: { times: 0 } });
      try {
        const body = await call({ ...openAdmin(send), ...openClient(send) });
        return { ...seen, code: undefined, detail: undefined, body };
      } catch (error) {
        if (!(error instanceof SluiceError && error.status > 0)) throw error;
        return { ...seen, code: error.code, detail: error.message, body: undefined };
      }
    },
  };
}
