/** The API, as whoever is signed in here: every call of the dashboard goes through this one client. */
import { createAdmin, SluiceError } from '../client/admin.ts';
import { BASE } from './base.ts';

/** Told when the session has ended. */
let onSignedOut = () => {};
export function whenSignedOut(tell: () => void): void {
  onSignedOut = tell;
}

/** The page asks again by itself, so the client does not; and an audit or a sweep may take long. */
export const api = createAdmin({
  url: BASE,
  session: true,
  timeoutMs: 60_000,
  repeat: { times: 0 },
  async fetch(path, init) {
    const answer = await fetch(path, { ...init, cache: 'no-store' });
    if (answer.status === 401 && path !== `${BASE}/session`) onSignedOut();
    return answer;
  },
});

/** What went wrong, for people. */
export function explain(error: unknown): string {
  if (!(error instanceof SluiceError)) return 'Something went wrong here';
  if (error.status === 0) return 'The deployment does not answer';
  return [error.detail, ...error.issues.map(({ field, message }) => `${field} ${message}`.trim())].join(': ');
}
