/** The session of a browser: the dashboard's sign-in. Every other call takes its cookie in place of the token. */
import * as z from 'zod/mini';
import { authenticate } from '../auth.ts';
import { route } from '../route.ts';
import { beginSession, endSession, refuseOtherSites } from '../session-cookie.ts';
import type { Wire } from './wire.ts';

const SignIn = z.strictObject({
  /** Visible ASCII, as a bearer token is. */
  token: z.string().check(z.regex(/^[\x21-\x7e]{1,512}$/)),
});

export const signIn = route(
  'POST /session',
  { body: SignIn, maxBytes: 4_096 }, // anybody may call, and a token is short
  async (c, { body }): Promise<Wire<'NewSession'>> => {
    refuseOtherSites(c); // also here: nobody shall be signed in with somebody else's token
    const given = await body();
    const token = await authenticate(c, given.token, 'admin');
    const expiresAt = await beginSession(c, c.get('engine').config, token);
    return { name: token.name, scopes: token.scopes, queues: token.queues, expiresAt };
  },
);

export const getSession = route('GET /session', { scope: 'admin' }, (c): Wire<'Session'> => {
  const { name, scopes, queues } = c.get('token');
  return { name, scopes, queues };
});

export const signOut = route('DELETE /session', {}, async (c): Promise<Wire<'NoSession'>> => {
  refuseOtherSites(c);
  await endSession(c, c.get('engine'));
  return {};
});

export const session = [signIn, getSession, signOut];
