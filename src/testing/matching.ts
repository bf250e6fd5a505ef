/** Whether a value is as a test wants it, which names only what matters to it. Pure. */

/**
 * @param wanted of objects the fields that matter, of lists each item; a matcher of the test runner, such as `expect.any(String)`,
 *   judges by itself
 */
export function isLike(wanted: unknown, actual: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return Object.is(wanted, actual);
  const { asymmetricMatch } = wanted as { asymmetricMatch?: unknown };
  if (typeof asymmetricMatch === 'function') return asymmetricMatch.call(wanted, actual) === true;
  if (typeof actual !== 'object' || actual === null || Array.isArray(wanted) !== Array.isArray(actual)) return false;
  if (Array.isArray(actual) && actual.length !== (wanted as unknown[]).length) return false;
  return Object.entries(wanted).every(([field, value]) => isLike(value, (actual as Record<string, unknown>)[field]));
}
