/** Comparing what only its owner knows: how long it takes tells the lengths, and nothing of the texts. */

/** @param given what a caller sent: the time goes by its length */
export function isSameSecret(given: string, secret: string): boolean {
  let differs = given.length ^ secret.length;
  for (let i = 0; i < given.length; i++) differs |= given.charCodeAt(i) ^ secret.charCodeAt(i % secret.length);
  return differs === 0;
}
