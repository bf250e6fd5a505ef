/** How a command fails: its exit code, and what is said about it. Never a token, a body or a stack trace. */
import { SluiceError } from '../client/index.ts';
import { BadName } from '../client/path.ts';
import { visible } from './visible.ts';

/** docs/cli.md has them. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** It was asked for something that cannot be: nothing was changed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** It was tried and did not come true. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** What to do about a problem, by its code. */
const HINTS: Record<string, string> = {
  unauthorized: 'set SLUICE_TOKEN to a token of this deployment; `sluice token` makes one',
  forbidden: 'it takes a token with that scope, for that queue',
  unknown_queue: '`sluice queues` lists the queues',
  unknown_message: 'acked messages are kept only where they have a resultTtl',
  not_a_pull_queue: 'only queues without a handler can be received from',
  rate_limited: 'wait, or use another token',
  storage_refused: '`sluice doctor` says what has ended, until when, and what to do',
  stored_format: 'deploy the version of Sluice that wrote this data, or another SLUICE_PREFIX for this one',
  storage_unreachable: '`sluice doctor` says what to look at',
  unreachable: 'is the URL right, and is it running?',
  garbled: 'is the URL that of a Sluice?',
  timeout: 'it may have happened all the same: look before you repeat it',
};

interface ErrorDescription {
  code: string;
  message: string;
  status?: number;
  errors?: { field: string; code: string; message: string }[];
  hint?: string;
}

export function exitCodeOf(error: unknown): number {
  return isUsage(error) ? EXIT.usage : EXIT.failed;
}

/** One JSON object for machines, lines for people. */
export function describeError(error: unknown, json: boolean): string {
  const described = describe(error);
  if (json) return visible(JSON.stringify({ error: described }));
  const { code, message, status, errors = [], hint } = described;
  const text = error instanceof SluiceError ? `${code}: ${message}` : message;
  const lines = [`error: ${text}${status ? ` (HTTP ${status})` : ''}`];
  lines.push(...errors.map(({ field, code, message: what }) => `  ${field || 'the request'}: ${what} (${code})`));
  if (hint) lines.push(`  ${hint}`);
  return lines.map(visible).join('\n');
}

const isUsage = (error: unknown) => error instanceof UsageError || error instanceof BadName;

function describe(error: unknown): ErrorDescription {
  if (error instanceof SluiceError) return describeAnswer(error);
  if (isUsage(error)) return { code: 'usage', message: error.message };
  if (error instanceof Failure) return { code: 'failed', message: error.message };
  return { code: 'internal', message: error instanceof Error ? `${error.name}: ${error.message}` : 'unknown' };
}

function describeAnswer(error: SluiceError): ErrorDescription {
  const { code, status, issues } = error;
  const hint = HINTS[code] ?? (code.startsWith('http_') ? HINTS.garbled : undefined);
  return {
    code,
    message: error.detail,
    ...(status > 0 ? { status } : {}),
    ...(issues.length > 0 ? { errors: issues } : {}),
    ...(hint === undefined ? {} : { hint }),
  };
}
