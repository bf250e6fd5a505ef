/** The one place that calls the API: with the session's cookie, as JSON, from this origin. */

/** An answer that is no success, or none at all (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

interface ProblemBody {
  code?: string;
  title?: string;
  detail?: string;
  errors?: { field: string; message: string }[];
}

/** Told when the session has ended. */
let onSignedOut = () => {};
export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell;
}

export const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, undefined, signal);

/** @throws ApiError */
export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method, cache: 'no-store', redirect: 'error' };
  if (signal) init.signal = signal;
  // Also without a body: the type is what tells the page's own requests from those of other sites.
  if (method !== 'GET') init.headers = { 'content-type': 'application/json' };
  if (body !== undefined) init.body = JSON.stringify(body);
  const answer = await fetch(path, init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'unreachable', 'The deployment does not answer');
  });
  if (answer.ok) return (await answer.json()) as T;
  const problem = (await answer.json().catch(() => ({}))) as ProblemBody;
  if (answer.status === 401 && path !== '/session') onSignedOut();
  throw new ApiError(answer.status, problem.code ?? 'unknown', textOf(problem, answer.status));
}

function textOf({ title, detail, errors }: ProblemBody, status: number): string {
  const fields = (errors ?? []).map(({ field, message }) => `${field} ${message}`.trim());
  return [detail ?? title ?? `Answered ${status}`, ...fields].join(': ');
}

/** A path of the API with what it names. */
export function path(texts: TemplateStringsArray, ...names: string[]): string {
  return texts.map((text, i) => text + (i < names.length ? encodeURIComponent(names[i] ?? '') : '')).join('');
}
