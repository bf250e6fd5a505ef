/** `npm run token`: makes a token for the API, and says what goes where. */
import { createHash, randomBytes } from 'node:crypto';
import { readConfig } from '../config.ts';
import { runCommand } from './command.ts';

const HELP = `Usage: npm run token [-- options]

Makes a bearer token. Whoever calls the API gets the token; the Worker gets only its SHA-256.

  --name NAME      for logs, and to tell tokens apart (default "token")
  --scopes LIST    enqueue, receive, operate (default "enqueue")
  --queues LIST    names, or beginnings with * behind them (default "*": all)
  --json           print {"token", "entry"}
  --help           this text

To rotate: add the new entry to the list in SLUICE_TOKENS, move the callers, take the old entry out.
`;

const OPTIONS = {
  name: { type: 'string', default: 'token' },
  scopes: { type: 'string', default: 'enqueue' },
  queues: { type: 'string', default: '*' },
  json: { type: 'boolean' },
} as const;

await runCommand(HELP, OPTIONS, async ({ name, scopes, queues, json }) => {
  const token = randomBytes(32).toString('base64url');
  const sha256 = createHash('sha256').update(token).digest('hex');
  const entry = { name, sha256, scopes: scopes.split(','), queues: queues.split(',') };
  readConfig({
    UPSTASH_REDIS_REST_URL: 'http://127.0.0.1',
    UPSTASH_REDIS_REST_TOKEN: '-',
    SLUICE_TOKENS: JSON.stringify([entry]),
  });
  if (json) return console.log(JSON.stringify({ token, entry }));
  console.log(`The token, for the caller; it is shown only now:

  ${token}

For the Worker, one entry of the list in SLUICE_TOKENS. If it is the first:

  echo '${JSON.stringify([entry])}' | npx wrangler secret put SLUICE_TOKENS

Otherwise put this into the list that you have, and store the whole list:

  ${JSON.stringify(entry)}`);
});
