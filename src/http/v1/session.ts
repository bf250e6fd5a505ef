/** The edge function that signs a browser in: the dashboard's. Every other call takes its cookie in place of the token. */
import type { EdgeFunction } from '../app.ts';
import { allow, allowed } from '../auth.ts';
import { limitBodyTo, readValid } from '../body.ts';
import { beginSession, endSession, refuseOtherSites } from '../session.ts';
import { SignIn } from './session-schema.ts';

/** Anybody may call, and a token is short. */
const MOST_BYTES = 4_096;

export const session: EdgeFunction = (app) => {
  app.post('/session', limitBodyTo(MOST_BYTES), async (c) => {
    refuseOtherSites(c); // also here: nobody shall be signed in with somebody else's token
    const given = await readValid(c, SignIn);
    const token = await allowed(c, given.token, 'operate');
    const expiresAt = await beginSession(c, c.var.engine.config, token);
    return c.json({ name: token.name, scopes: token.scopes, queues: token.queues, expiresAt });
  });

  app.get('/session', allow('operate'), (c) => {
    const { name, scopes, queues } = c.var.token;
    return c.json({ name, scopes, queues });
  });

  app.delete('/session', async (c) => {
    refuseOtherSites(c);
    await endSession(c, c.var.engine);
    return c.json({});
  });
};
