/** What Sluice needs of the runtime, and has of it. */

/** What older ones lack is missed at the start, not in the middle of a request. By what is there, not by a version: Workers, Bun and Deno have it too. @throws Error */
export function checkRuntime(): void {
  if (!Promise.withResolvers || !Map.groupBy) throw new Error('Sluice needs Node 22.12 or later');
}

/** Where connections of an invocation are counted, and its CPU time is. */
export function isWorkers(): boolean {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } };
  return navigator?.userAgent === 'Cloudflare-Workers';
}
