/** Subrequests: how the platform refuses one more than an invocation may make. It refuses all that follow too. */
import { StorageError } from '../errors.ts';

/** Of Cloudflare; what comes behind it differs. */
const REFUSED = /too many subrequests/i;

/** @param error what a request threw, or code that made one */
export function isOutOfSubrequests(error: unknown): boolean {
  try {
    if (error instanceof StorageError) return error.code === 'subrequests';
    return error instanceof Error && (REFUSED.test(error.message) || isOutOfSubrequests(error.cause));
  } catch {
    return false; // anything can be thrown, also what throws when it is looked at
  }
}
