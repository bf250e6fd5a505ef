/** Places of requests, and fields of bodies that nobody has checked. */
import type { WebhookRequest } from './scheme.ts';

/** @param place a header, `?a parameter` of the query, or `.a.field` of the body */
export function valueAt(place: string, { headers, search, body }: WebhookRequest): unknown {
  if (place.startsWith('.')) return readField(body(), place.slice(1));
  const text = place.startsWith('?') ? new URLSearchParams(search).get(place.slice(1)) : headers.get(place);
  return text ?? undefined;
}

/** @param path names with dots between them; only a body's own fields are found */
export function readField(body: unknown, path: string): unknown {
  let value = body;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
