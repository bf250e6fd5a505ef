/** Paths of the API, with what they name. */

/** No name has this form: in a path it would lead elsewhere. */
export class BadName extends TypeError {
  override readonly name = 'BadName';

  constructor(name: string) {
    super(`${JSON.stringify(name)} is not a name`);
  }
}

/** A path with its parts encoded: path`/v1/queues/${queue}/pause`. @throws BadName where a part would lead elsewhere */
export function path(texts: TemplateStringsArray, ...parts: string[]): string {
  return String.raw({ raw: texts }, ...parts.map(encodePart));
}

function encodePart(part: string): string {
  if (/^\.{0,2}$/.test(part)) throw new BadName(part);
  return encodeURIComponent(part);
}

/** A path with parameters; those that are undefined are left out. */
export function withQuery(path: string, query: Record<string, string | number | undefined>): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}
