/** Mounting: Sluice below a path of an application that has others. */

/** @returns the request as it would be at this path, its body unread. Its signal is left out: Deno warns of whoever looks at one */
export function moveTo(pathname: string, request: Request): Request {
  const url = new URL(request.url);
  if (url.pathname === pathname) return request;
  url.pathname = pathname;
  const { method, headers, body } = request;
  return new Request(url, { method, headers, body, duplex: 'half' } as RequestInit); // duplex: as Node wants it for a stream
}

/** @returns the request as it would be without this path before its own; itself where it is not below that */
export function moveFrom(basePath: string, request: Request): Request {
  if (basePath === '') return request;
  const { pathname } = new URL(request.url);
  const rest = pathname.slice(basePath.length);
  if (!pathname.startsWith(basePath) || !/^(?:\/|$)/.test(rest)) return request;
  return moveTo(rest || '/', request);
}
