/**
 * The HTTP API for operators: any method, the token, problems as SluiceErrors.
 *
 * All but POST is sent again where no usable answer came; what POST does may not bear it.
 */

import { errorOf } from '../client/error.ts';
import { SluiceError } from '../client/index.ts';
import { waitMs, withoutAnswer } from '../client/transport.ts';
import { Failure, UsageError } from './failure.ts';

export interface Api {
  readonly url: string;
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body?: object): Promise<Answer>;
  put<Answer>(path: string, body: object): Promise<Answer>;
  patch<Answer>(path: string, body: object): Promise<Answer>;
  delete<Answer>(path: string, body?: object): Promise<Answer>;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const TIMEOUT_MS = 15_000;
export const REPEAT = { times: 3, baseMs: 200, maxMs: 5_000 };

/** Each method: @throws SluiceError; Failure where the deployment has no such route */
export function openApi(url: string, token: string): Api {
  const call = async <Answer>(method: Method, path: string, body?: object): Promise<Answer> => {
    const times = method === 'POST' ? 0 : REPEAT.times;
    for (let tries = 1; ; tries++) {
      try {
        return await once<Answer>(url, token, method, path, body);
      } catch (error) {
        if (!(error instanceof SluiceError && error.isTemporary) || tries > times) throw withRoute(error, method, path);
        await new Promise((resolve) => setTimeout(resolve, waitMs(tries, error, REPEAT)));
      }
    }
  };
  return {
    url,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    put: (path, body) => call('PUT', path, body),
    patch: (path, body) => call('PATCH', path, body),
    delete: (path, body) => call('DELETE', path, body),
  };
}

/** A path with its parts encoded: path`/v1/queues/${queue}/pause`. @throws UsageError where a part would lead elsewhere */
export function path(texts: TemplateStringsArray, ...parts: (string | number)[]): string {
  return String.raw(
    { raw: texts },
    ...parts.map((part) => {
      if (/^\.{0,2}$/.test(String(part))) throw new UsageError(`${JSON.stringify(part)} is not a name`);
      return encodeURIComponent(part);
    }),
  );
}

function once<Answer>(url: string, token: string, method: Method, to: string, body?: object): Promise<Answer> {
  return send(url + to, { method, body, headers: { authorization: `Bearer ${token}` } }, async (answer) => {
    if (!answer.ok) throw await errorOf(answer);
    return (answer.status === 204 ? undefined : await answer.json()) as Answer;
  });
}

interface Sent {
  method: Method;
  headers: Record<string, string>;
  body: object | undefined;
}

/** One request. @param read takes what is wanted from its answer. @throws SluiceError where none comes, or `read` cannot read it */
export async function send<Seen>(
  to: string,
  { method, headers, body }: Sent,
  read: (answer: Response) => Promise<Seen>,
): Promise<Seen> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const content = body
    ? { body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } }
    : {};
  let answer: Response | undefined;
  try {
    answer = await fetch(to, { method, headers, ...content, signal, redirect: 'manual' }); // a token goes nowhere else
    return await read(answer);
  } catch (error) {
    throw error instanceof SluiceError ? error : withoutAnswer(error, signal.aborted, answer);
  }
}

/** An older deployment lacks newer routes; the bare "nothing here" would not say which. */
function withRoute(error: unknown, method: Method, to: string): unknown {
  if (!isMissingRoute(error)) return error;
  return new MissingRoute(`this deployment has no route ${method} ${to.split('?')[0]}: it is older than this command`);
}

export class MissingRoute extends Failure {}

function isMissingRoute(error: unknown): boolean {
  return error instanceof SluiceError && ['not_found', 'method_not_allowed'].includes(error.code);
}
