/** `npm run token`: makes a token for the API, and says what goes where. */
import { explainToken, newToken } from '../src/cli/new-token.ts';
import { runCommand } from '../src/dev/command.ts';

const HELP = `Usage: npm run token [-- options]

Makes a bearer token. Whoever calls the API gets the token; the Worker gets only its SHA-256.

  --name NAME      for logs, and to tell tokens apart (default: a new one)
  --scopes LIST    enqueue, receive, admin (default "enqueue")
  --queues LIST    names, or beginnings with * behind them (default "*": all)
  --json           print {"token", "entry"}
  --help           this text

To rotate: store the new one beside the old one, move the callers, take the old one out.
`;

const OPTIONS = {
  name: { type: 'string' },
  scopes: { type: 'string', default: 'enqueue' },
  queues: { type: 'string', default: '*' },
  json: { type: 'boolean' },
} as const;

await runCommand(HELP, OPTIONS, async ({ json, ...flags }) => {
  const made = newToken(flags);
  console.log(json ? JSON.stringify(made) : explainToken(made));
});
