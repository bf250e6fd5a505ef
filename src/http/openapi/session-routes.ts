/** The routes of a browser's session, for the document. */
import { SignIn } from '../v1/session-schema.ts';
import { answers } from './answers.ts';
import { OF_STORAGE } from './problems.ts';
import { OF_BODIES, type Route } from './route.ts';

export const SESSION: Route[] = [
  {
    method: 'post',
    path: '/session',
    operationId: 'signIn',
    tag: 'service',
    summary: "Begin a session: a cookie that stands for an operator's token",
    description:
      'For pages of this origin. The cookie is HttpOnly, lasts 12 hours, and ends with its token. With it, calls other than GET need `content-type: application/json`.',
    body: { schema: SignIn, example: { token: 'the-token' } },
    answers: [{ status: 200, description: 'You are signed in.', schema: answers.NewSession }],
    problems: [...OF_BODIES, 'unauthorized', 'forbidden', 'cross_site', 'rate_limited'],
  },
  {
    method: 'get',
    path: '/session',
    operationId: 'getSession',
    tag: 'service',
    scope: 'operate',
    summary: 'Whose session, or token, this is',
    answers: [{ status: 200, description: 'What the token may.', schema: answers.Session }],
    problems: [],
  },
  {
    method: 'delete',
    path: '/session',
    operationId: 'signOut',
    tag: 'service',
    summary: 'End the session of this browser',
    description: 'On the side of the server too: a copy of the cookie is worth nothing any more.',
    answers: [
      { status: 200, description: 'The session has ended, and the cookie is gone.', schema: answers.NoSession },
    ],
    problems: ['cross_site', ...OF_STORAGE],
  },
];
