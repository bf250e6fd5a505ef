/** Replies of scripts: lists, their texts, and pairs of them. */
import { StorageError } from '../errors.ts';

export function list(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new StorageError('garbled', 'the answer is not a list');
  return reply;
}

export function strings(reply: unknown): string[] {
  return list(reply) as string[];
}

export function pairs(flat: string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string]);
}
