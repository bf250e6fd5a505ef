/** Where a Redis is, in a URL: one server, a primary that sentinels know, or a cluster. Pure; no error shows what the URL holds. */

export interface Place {
  host: string;
  port: number;
}

interface Shared {
  username?: string;
  password?: string;
  isTls: boolean;
}

export type Address =
  | { kind: 'single'; url: string }
  | ({ kind: 'cluster'; nodes: Place[] } & Shared)
  | ({ kind: 'sentinel'; nodes: Place[]; name: string; sentinelPassword?: string } & Shared);

const FORMS =
  'redis://host:port, rediss://host:port (TLS), redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port';

const SEVERAL = /^redis(s?)\+(cluster|sentinel):\/\/(?:([^@]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;

/** @throws RangeError */
export function readAddress(url: string): Address {
  if (/^rediss?:\/\//.test(url) && URL.canParse(url)) return { kind: 'single', url };
  const [, s, kind, credentials = '', places = '', path = '', query] = SEVERAL.exec(url) ?? [];
  if (kind === undefined) throw unreadable();
  const nodes = places.split(',').map(placeIn);
  const shared = { isTls: s === 's', ...credentialsIn(credentials) };
  if (kind === 'cluster') return { kind, nodes, ...shared };
  if (path === '')
    throw new RangeError('a sentinel URL ends in the name of the primary: redis+sentinel://host:port/name');
  const sentinelPassword = new URLSearchParams(query).get('sentinelPassword');
  const name = decodeURIComponent(path);
  return { kind: 'sentinel', nodes, name, ...shared, ...(sentinelPassword === null ? {} : { sentinelPassword }) };
}

const unreadable = () => new RangeError(`the URL of Redis must be ${FORMS}`);

function placeIn(text: string): Place {
  if (!URL.canParse(`redis://${text}`)) throw unreadable();
  const { hostname, port } = new URL(`redis://${text}`);
  if (hostname === '') throw unreadable();
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 6379) };
}

/** @param text `user:password`, of which the user may be missing */
function credentialsIn(text: string): { username?: string; password?: string } {
  const at = text.indexOf(':');
  if (at < 0) return {};
  const username = decodeURIComponent(text.slice(0, at));
  return { ...(username === '' ? {} : { username }), password: decodeURIComponent(text.slice(at + 1)) };
}
