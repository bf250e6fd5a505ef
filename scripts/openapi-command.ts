/** `npm run openapi`: writes the API's document, which the Worker serves. A test fails where it is not what the schemas say. */
import { readFile, writeFile } from 'node:fs/promises';
import { runCommand } from '../src/dev/command.ts';
import { buildDocument } from '../src/http/openapi/build.ts';

const HELP = `Usage: npm run openapi

Writes functions/openapi.json from the schemas that validate. Run it after a change of the API, or of the version.
`;

await runCommand(HELP, {}, async () => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  await writeFile('functions/openapi.json', `${JSON.stringify(buildDocument(version), null, 2)}\n`);
});
