/** What the document says of the session of a browser. */
import * as z from 'zod/mini';
import { describe } from '../openapi/describe.ts';
import { OF_BODIES, OF_STORAGE, type Operations } from '../openapi/operation.ts';
import { instant } from '../openapi/primitives.ts';

const session = {
  name: z.string(),
  scopes: z.array(z.enum(['enqueue', 'receive', 'admin', 'tick'])),
  queues: z.array(z.string()),
};
const Session = z.object(session);
const NewSession = z.object({ ...session, expiresAt: instant });
const NoSession = z.object({});

describe(NewSession, { expiresAt: 'Then it ends, epoch ms.' });

export const answers = { Session, NewSession, NoSession };

export const operations = {
  signIn: {
    tag: 'service',
    summary: "Begin a session: a cookie that stands for an operator's token",
    description:
      'For pages of this origin. The cookie is HttpOnly, lasts 12 hours, and ends with its token. With it, calls other than GET need `content-type: application/json`.',
    body: { name: 'SignIn', fields: { token: 'One with the scope `admin`.' }, example: { token: 'the-token' } },
    answers: [{ status: 200, description: 'You are signed in.', schema: NewSession }],
    problems: [...OF_BODIES, 'unauthorized', 'forbidden', 'cross_site', 'rate_limited'],
  },
  getSession: {
    tag: 'service',
    summary: 'Whose session, or token, this is',
    answers: [{ status: 200, description: 'What the token may.', schema: Session }],
    problems: [],
  },
  signOut: {
    tag: 'service',
    summary: 'End the session of this browser',
    description: 'On the side of the server too: a copy of the cookie is worth nothing any more.',
    answers: [{ status: 200, description: 'The session has ended, and the cookie is gone.', schema: NoSession }],
    problems: ['cross_site', ...OF_STORAGE],
  },
} satisfies Operations;
