/** What a browser sends to sign in. */
import * as z from 'zod/mini';

export const SignIn = z.strictObject({
  /** Visible ASCII, as a bearer token is. */
  token: z.string().check(z.regex(/^[\x21-\x7e]{1,512}$/)),
});
