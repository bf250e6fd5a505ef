/** GitHub as the demo's dashboard meets it: real payloads, signed; some come twice, some are forged. */
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { GITHUB_SECRET } from '../demo/github.ts';

const EVERY_MS = 400;
const TWICE_EACH = 9;
const FORGED_EACH = 25;

export async function sendWebhooks(
  url: string,
  signal: AbortSignal,
  waits: (ms: number) => Promise<void>,
  hasRoom: () => boolean,
): Promise<void> {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const events = JSON.parse(readFileSync(path, 'utf8')) as { name: string; examples: unknown[] }[];
  for (let turn = 0; !signal.aborted; turn++) {
    const { name = '', examples = [] } = events[(turn * 7) % events.length] ?? {};
    const body = JSON.stringify(examples[turn % Math.max(1, examples.length)] ?? {});
    const id = randomUUID();
    if (hasRoom()) {
      await send(url, name, id, body, body);
      if (turn % TWICE_EACH === 0) await send(url, name, id, body, body);
      if (turn % FORGED_EACH === 0) await send(url, name, randomUUID(), `${body} `, body);
    }
    await waits(EVERY_MS);
  }
}

/** @param signed another text than the body where it is forged */
async function send(url: string, event: string, id: string, body: string, signed: string): Promise<void> {
  const headers = {
    'content-type': 'application/json',
    'x-github-event': event,
    'x-github-delivery': id,
    'x-hub-signature-256': `sha256=${createHmac('sha256', GITHUB_SECRET).update(signed).digest('hex')}`,
  };
  const answer = await fetch(`${url}/hooks/github`, { method: 'POST', headers, body }).catch(() => undefined);
  await answer?.body?.cancel();
}
