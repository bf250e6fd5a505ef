/** One more use: a function of the application itself enqueues, without a request. */
import { producer } from 'sluice/vercel';
import { sluice, welcomeEmail } from '../sluice.ts';

export async function POST(request: Request): Promise<Response> {
  const { email } = (await request.json()) as { email: string };
  // It wakes a drain behind the answer: the mail is on its way within milliseconds.
  const { id } = await producer(sluice).enqueue(welcomeEmail, { to: email });
  return Response.json({ id }, { status: 202 });
}
