/** What Sluice needs of the runtime and older ones lack: missed at the start, not in the middle of a request. */

/** By what is there, not by a version: Workers, Bun and Deno have it too. @throws Error */
export function checkRuntime(): void {
  if (!Promise.withResolvers || !Map.groupBy) throw new Error('Sluice needs Node 22 or later');
}
