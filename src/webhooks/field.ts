/** Fields of bodies that nobody has checked. */

/** @param path names with dots between them; only a body's own fields are found */
export function fieldOf(body: unknown, path: string): unknown {
  let value = body;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
