/** The demo's input: real webhook payloads of GitHub, on three queues by how urgent they are, and the mailing case. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { HttpMessage } from './producer.ts';

const SECURITY = /alert|advisory|deploy_key|^branch_protection|^member|^org_block/;
const REVIEW = /^pull_request|^issue|^discussion|^commit_comment|^check_|^deployment_review/;

export function githubPayloads(): HttpMessage[] {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const events = JSON.parse(readFileSync(path, 'utf8')) as { name: string; examples: unknown[] }[];
  return events.flatMap(({ name, examples }) =>
    examples.map((body) => ({ queue: queueOf(name), body: { event: name, body } })),
  );
}

function queueOf(event: string): string {
  if (SECURITY.test(event)) return 'github.security';
  return REVIEW.test(event) ? 'github.review' : 'github.activity';
}

export function notifications(count: number): HttpMessage[] {
  return Array.from({ length: count }, (_, i) => ({
    queue: 'notification.email',
    body: { to: `reader${i}@example.com`, article: 'queues-without-a-daemon' },
  }));
}

export function confirmation(i: number): HttpMessage {
  return { queue: 'confirmation.email', body: { to: `new${i}@example.com`, token: `token-${i}` } };
}
