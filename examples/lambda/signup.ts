/** One more use: another function of the application enqueues, without a request to the one that delivers. */
import { sluice, welcomeEmail } from './sluice.ts';

interface Event {
  body?: string;
}

export async function handler({ body = '{}' }: Event): Promise<{ statusCode: number; body: string }> {
  const { email } = JSON.parse(body) as { email: string };
  // It is stored when this returns. The other function works on it with its next request, or within a minute.
  const { id } = await sluice.producer().enqueue(welcomeEmail, { to: email });
  return { statusCode: 202, body: JSON.stringify({ id }) };
}
