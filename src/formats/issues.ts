/** Issues: what a schema finds wrong, in our words and with the place in the caller's request. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import * as z from 'zod/mini'; // a third of zod's size in the bundle
import type { Issue } from '../errors.ts';
import { describeIssue } from './issue-text.ts';

z.config({ localeError: describeIssue, ...z.config() }); // the small form has no texts of its own; those of a user's zod stay

/** @param prefix path of the value in the request, such as `messages[3].` @returns of an issue of our own its code, else `invalid` */
export function toIssues(error: z.core.$ZodError | undefined, prefix: string): Issue[] {
  return (error?.issues ?? []).flatMap(({ code, path, message, ...issue }) => {
    const here = [...path].map(String).join('.');
    const near = code === 'invalid_union' && (issue as z.core.$ZodIssueInvalidUnion).errors?.find(isInside);
    if (near) return toIssues({ issues: near } as z.core.$ZodError, prefix + (here ? `${here}.` : ''));
    if (code !== 'unrecognized_keys') return [{ field: prefix + here, code: ownCode(issue) ?? 'invalid', message }];
    const { keys } = issue as { keys: string[] };
    const field = (key: string) => prefix + (here ? `${here}.${key}` : key);
    return keys.map((key) => ({ field: field(key), code: 'unknown_field', message: 'is not a field here' }));
  });
}

const ownCode = (issue: object) => (issue as { params?: { code?: string } }).params?.code;

/** A form that was meant: it is right as a whole, and wrong in a field. "Invalid input" would not say in which. */
const isInside = (issues: z.core.$ZodIssue[]) =>
  issues.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys');

/** The same of a queue's schema, whatever library made it. @param prefix path of its message in the request */
export function toBodyIssues(found: readonly StandardSchemaV1.Issue[], prefix: string): Issue[] {
  return found.map(({ path = [], message }) => {
    const steps = path.map((step) => String(typeof step === 'object' ? step.key : step));
    return { field: [`${prefix}body`, ...steps].join('.'), code: 'schema', message };
  });
}

/** A priority that the queue does not leave to its messages. */
export const makeOrderedIssue = (prefix: string): Issue => ({
  field: `${prefix}priority`,
  code: 'ordered',
  message: 'is that of its queue: the queue is ordered',
});
