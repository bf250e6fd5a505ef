/** Signing in: the token goes to the deployment once, and stays in no script's reach. */
import { useState } from 'hono/jsx/dom';
import { type Session, SluiceError } from '../../client/admin.ts';
import { api, explain } from '../api.ts';
import { BASE } from '../base.ts';

export function SignIn({ onSignedIn }: { onSignedIn(session: Session): void }) {
  const [token, setToken] = useState('');
  const [fault, setFault] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault('');
    try {
      onSignedIn(await api.session.begin(token.trim()));
    } catch (error) {
      setFault(faultOf(error));
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit}>
        <h1>
          <img src={`${BASE}/dashboard.svg`} alt="" width="30" height="30" /> Sluice
        </h1>
        <label htmlFor="token">Token with the scope “admin”</label>
        <input
          id="token"
          type="password"
          autocomplete="current-password"
          required
          value={token}
          aria-describedby="fault"
          aria-invalid={fault ? 'true' : undefined}
          onInput={(event) => setToken((event.target as HTMLInputElement).value)}
        />
        <p id="fault" class="fault" role="alert">
          {fault}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? 'Signing in' : 'Sign in'}
        </button>
        <p class="hint">
          <code>npx sluice token --scopes admin</code> makes one. The session lasts 12 hours, or as long as the token.
        </p>
      </form>
    </main>
  );
}

function faultOf(error: unknown): string {
  const code = error instanceof SluiceError ? error.code : undefined;
  if (code === 'unauthorized') return 'This deployment does not know that token.';
  if (code === 'forbidden') return 'That token may not administer: it lacks the scope “admin”.';
  if (code === 'invalid_message') return 'That is no token.';
  return explain(error);
}
