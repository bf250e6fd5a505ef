/** SluiceError: the error that each call of the client throws. It carries no token, no message body and no text of the runtime's errors. */
import type { Issue } from '../errors.ts';

/**
 * What each call of the client throws: the server refused, or there was no usable answer.
 * @example if (error instanceof SluiceError && error.code === 'invalid_message') show(error.issues)
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  /** The HTTP status; 0 where there was no usable answer, and the request may or may not have been carried out. */
  readonly status: number;
  /** As in docs/api.md. Without a problem in the answer: `unreachable`, `timeout`, `garbled`, `http_<status>`. */
  readonly code: string;
  /** What the server said, in a sentence for people: without the code, and without the fields. */
  readonly detail: string;
  /** What is wrong with the request, field by field. */
  readonly issues: Issue[];
  /** When the server says to come back. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, code: string, detail: string, issues: Issue[] = [], retryAfterMs?: number) {
    super(`${code}: ${[detail, ...issues.map(({ field, message }) => `${field} ${message}`)].join('; ')}`);
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.issues = issues;
    this.retryAfterMs = retryAfterMs;
  }

  /** The same request may fare better later. Of other 4xx it may not: they are final. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Whether the same request may fare better later; anything else that was thrown is final. */
export function isTemporary(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.isTemporary;
}

/** @param answer one that is not ok; its body is read */
export async function readProblem(answer: Response): Promise<SluiceError> {
  const problem = await problemIn(answer);
  const { code = `http_${answer.status}`, title = 'no reason was given', detail = title, errors = [] } = problem;
  const text = problem.moreErrors ? `${detail} (and ${problem.moreErrors} more than are named)` : detail;
  return new SluiceError(answer.status, code, text, errors, retryAfter(answer.headers.get('retry-after')));
}

interface ProblemBody {
  code?: string;
  title?: string;
  detail?: string;
  errors?: Issue[];
  moreErrors?: number;
}

/** What stands between may answer with a page of its own. */
async function problemIn(answer: Response): Promise<ProblemBody> {
  const text = await answer.text();
  if (!answer.headers.get('content-type')?.startsWith('application/problem+json')) return {};
  try {
    return JSON.parse(text) as ProblemBody;
  } catch {
    return {};
  }
}

/** Seconds or a date (RFC 9110). */
function retryAfter(header: string | null): number | undefined {
  if (!header) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** @param answer where one began to come @returns what its failure means; it quotes nothing of the runtime's error */
export function withoutAnswer(error: unknown, isTimeout: boolean, answer: Response | undefined): SluiceError {
  if (isTimeout) return new SluiceError(0, 'timeout', 'no answer in time');
  if (answer && error instanceof SyntaxError) return new SluiceError(0, 'garbled', 'the answer is not JSON');
  const cause = (error as { cause?: { code?: unknown } } | undefined)?.cause?.code;
  const why = typeof cause === 'string' && /^[A-Z0-9_]+$/.test(cause) ? ` (${cause})` : '';
  return new SluiceError(0, 'unreachable', `the network failed${why}`);
}
