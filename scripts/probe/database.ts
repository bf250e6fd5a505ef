/** The database that is asked: one request for a command, sent once, and its answer as it came. Nothing in it repeats, nothing prints a token. */

/** A request gets so long: the slowest question holds the database up for six seconds. */
const TIMEOUT_MS = 60_000;
/** Of a page that is no answer, so much is told. */
export const SHOWN = 200;

/** Tokens of the service have 40 characters and more. */
const LEAST_SECRET = 12;

export type Command = readonly (string | number)[];

export interface Reply {
  /** 0: no answer came. */
  status: number;
  type: string;
  /** The body, or why there is none. */
  text: string;
  result?: unknown;
  error?: string;
  syncToken: string | undefined;
  ms: number;
}

export interface Database {
  /** @param token another than the database's own @throws Unanswered where the service did not get to answer it */
  send(command: Command, token?: string): Promise<Reply>;
  /** As it is, whatever comes back. */
  post(body: string, token?: string): Promise<Reply>;
  /** Sent and received, in bodies. */
  bytes(): number;
}

/** No answer of the service: a proxy's page, a time-out, a refusal of the token. */
export class Unanswered extends Error {}

export function openDatabase(url: string, token: string): Database {
  const address = url.replace(/\/+$/, '');
  let bytes = 0;

  async function post(sent: string, as = token): Promise<Reply> {
    bytes += Buffer.byteLength(sent);
    const sentAt = performance.now();
    const headers = { authorization: `Bearer ${as}`, 'content-type': 'application/json' };
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const init = { method: 'POST', headers, body: sent, signal, redirect: 'manual' } as const; // the token goes nowhere else
      const answer = await fetch(address, init);
      const body = await answer.text();
      bytes += Buffer.byteLength(body);
      const text = withoutTokens(body, [as, token]);
      const syncToken = answer.headers.get('upstash-sync-token') ?? undefined;
      const type = answer.headers.get('content-type') ?? 'none';
      return { status: answer.status, type, text, syncToken, ms: performance.now() - sentAt, ...fieldsOf(text) };
    } catch (error) {
      const { cause, message } = error as Error;
      const text = cause instanceof Error ? `${message}: ${cause.message}` : message;
      return { status: 0, type: 'none', text, syncToken: undefined, ms: performance.now() - sentAt };
    }
  }

  return {
    post,
    async send(command, as) {
      const reply = await post(JSON.stringify(command.map(String)), as);
      const isAnswer = 'result' in reply || 'error' in reply;
      if (isAnswer && reply.status !== 401 && reply.status !== 429 && reply.status < 500) return reply;
      throw new Unanswered(describe(reply));
    },
    bytes: () => bytes,
  };
}

/** A page in between may show what it was sent. A short one is a word, as an emulator may have it. */
function withoutTokens(text: string, tokens: string[]): string {
  return tokens.reduce(
    (shown, token) => (token.length < LEAST_SECRET ? shown : shown.replaceAll(token, '<token>')),
    text,
  );
}

/** Status, content type and the beginning of the body. */
function describe({ status, type, text }: Reply): string {
  return status === 0 ? `no answer: ${text}` : `HTTP ${status}, ${type}: ${text.slice(0, SHOWN)}`;
}

function fieldsOf(text: string): Pick<Reply, 'result' | 'error'> {
  try {
    const { result, error } = JSON.parse(text) as Pick<Reply, 'result' | 'error'>;
    return typeof error === 'string' ? { error } : result === undefined ? {} : { result };
  } catch {
    return {};
  }
}
