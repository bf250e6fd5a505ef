/** Which problems a call can be refused with, besides its own. */
import type { ProblemCode } from '../problem.ts';
import { OF_STORAGE } from './operation.ts';

/** Headers that come with a problem of this status. */
export const PROBLEM_HEADERS: Record<number, string[]> = {
  401: ['WWW-Authenticate'],
  405: ['Allow'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

const OF_EVERY_CALL: ProblemCode[] = ['misconfigured', 'internal'];
const OF_TOKENS: ProblemCode[] = ['unauthorized', 'forbidden', 'cross_site', 'rate_limited'];

/** What a call can be refused with: what every call can, what every call with a token can, and its own. */
export function listProblems(scope: string | undefined, own: readonly ProblemCode[]): ProblemCode[] {
  const ofToken = scope ? [...OF_TOKENS, ...OF_STORAGE] : [];
  return [...ofToken, ...own, ...OF_EVERY_CALL];
}
