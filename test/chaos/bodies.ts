/** The bodies of a run's messages: each has its key in it. Also for the Worker of a run, which needs no more than this of it. */

export function bodyOf(queue: string, key: string): Record<string, string> {
  const to = `${key}@example.com`;
  if (queue === 'confirmation.email') return { to, token: key };
  if (queue === 'notification.email') return { to, article: key };
  return { key, text: 'déjà vu \u2028"✓'.repeat(Number(key.split('.')[1]) % 12) }; // bytes and quotes that encodings damage
}
