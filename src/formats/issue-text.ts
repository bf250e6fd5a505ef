/** What an issue of zod says, in its English: of what our schemas find, which is a part of what zod's own file has texts for. */
import type * as z from 'zod/mini';

/** What is counted in what has a length. */
const UNITS: Record<string, string> = { string: 'characters', array: 'items' };

export function describeIssue(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `Invalid input: expected ${issue.expected}, received ${typeName(issue.input)}`;
    case 'invalid_value': {
      const values = issue.values.map((value) => JSON.stringify(value)).join('|');
      return issue.values.length === 1
        ? `Invalid input: expected ${values}`
        : `Invalid option: expected one of ${values}`;
    }
    case 'too_big':
      return `Too big: expected ${bound(issue, '<', issue.maximum)}`;
    case 'too_small':
      return `Too small: expected ${bound(issue, '>', issue.minimum)}`;
    case 'invalid_format':
      return issue.format === 'regex'
        ? `Invalid string: must match pattern ${issue.pattern}`
        : `Invalid ${issue.format}`;
    default:
      return 'Invalid input';
  }
}

type Bound = z.core.$ZodRawIssue<z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall>;

function bound({ origin, inclusive, exact }: Bound, sign: string, limit: number | bigint): string {
  const unit = UNITS[origin];
  const range = `${exact ? 'exactly ' : sign}${inclusive && !exact ? '=' : ''}${limit}`;
  return unit ? `${origin} to have ${range} ${unit}` : `${origin} to be ${range}`;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : typeof value;
}
