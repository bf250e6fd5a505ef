/** Rejections: why a request of a source was not taken. */
import { InvalidMessage, StorageError } from '../errors.ts';

/** Few and fixed: they are counted. */
export const REASONS = [
  'signature', // missing, misspelt or wrong
  'timestamp', // signed, but too long ago or in the future
  'token', // of a subscription; or no question that is answered
  'closed', // no secret is set, or one that cannot be used, or no URL where it is signed
  'too_large',
  'aborted', // the sender hung up before the end of the body
  'encoding', // the body is compressed
  'schema', // of a pull queue: nobody would check the body by it later
  'route', // a function threw, or named a queue that is not here, or a message that cannot be
  'storage',
] as const;
export type Reason = (typeof REASONS)[number];

/** Not taken. Storage and schema have errors of their own. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
  readonly reason: Reason;

  /** @param cause what was wrong with a route, without its text: that may hold the payload */
  constructor(reason: Reason, cause?: string) {
    super(`rejected: ${reason}`, { cause });
    this.reason = reason;
  }
}

/** What a function of a source threw: its kind only. */
export function thrown(error: unknown): Rejected {
  if (error instanceof Rejected) return error;
  return new Rejected('route', error instanceof Error ? error.name : typeof error);
}

/** Why an error kept a request from being taken. */
export function readReason(error: unknown): Reason | undefined {
  if (error instanceof Rejected) return error.reason;
  if (error instanceof StorageError) return 'storage';
  if (!(error instanceof InvalidMessage)) return undefined;
  if (error.issues.some(({ code }) => code === 'too_large')) return 'too_large';
  return error.issues.every(({ field }) => field.startsWith('body')) ? 'schema' : 'route';
}
