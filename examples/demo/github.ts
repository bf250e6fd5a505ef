/** GitHub as a sender: real webhook payloads, signed, each sent until it is answered; some come twice, some are forged. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Posted } from './producer.ts';

/** What the Worker's answers said. */
export interface Heard {
  accepted: number;
  duplicates: number;
  /** Forged ones that were refused. */
  refused: number;
  /** Forged ones that were not. */
  fooled: number;
  /** Requests sent again because no answer came. */
  repeats: number;
}

export interface GithubSender {
  /** Sends all of them. @param url the Worker's at the time */
  sendAll(url: () => string, onAccepted: (posted: Posted) => void): Promise<Heard>;
}

/** What GitHub and the Worker share. */
export const GITHUB_SECRET = randomBytes(24).toString('base64url');

const AT_ONCE = 8;
const TWICE_EACH = 10; // GitHub's "Redeliver" sends the same id
const FORGED_EACH = 20;
const GIVE_UP_MS = 30_000;

interface Delivery {
  event: string;
  id: string;
  body: string;
  signature: string;
}

/** @param most of the 329 deliveries */
export function githubSender(most = Number.POSITIVE_INFINITY): GithubSender {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const events = JSON.parse(readFileSync(path, 'utf8')) as { name: string; examples: unknown[] }[];
  const deliveries = events.flatMap(({ name, examples }) => examples.map((payload) => deliveryOf(name, payload)));
  return {
    async sendAll(url, onAccepted) {
      const heard: Heard = { accepted: 0, duplicates: 0, refused: 0, fooled: 0, repeats: 0 };
      const send = (delivery: Delivery) => sendOnce(url, delivery, () => heard.repeats++);
      const work = deliveries.slice(0, most).entries();
      const worker = async () => {
        for (const [i, delivery] of work) {
          const answers = [await send(delivery)];
          if (i % TWICE_EACH === 0) answers.push(await send(delivery));
          for (const answer of answers) {
            if (answer.headers.get('idempotent-replayed')) heard.duplicates++;
            else onAccepted(postedOf(answer, heard));
          }
          if (i % FORGED_EACH !== 0) continue;
          const { status } = await send({ ...delivery, id: randomUUID(), body: `${delivery.body} ` });
          if (status === 401) heard.refused++;
          else heard.fooled++;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      return heard;
    },
  };
}

function deliveryOf(event: string, payload: unknown): Delivery {
  const body = JSON.stringify(payload);
  const signature = `sha256=${createHmac('sha256', GITHUB_SECRET).update(body).digest('hex')}`;
  return { event, id: randomUUID(), body, signature };
}

async function sendOnce(
  url: () => string,
  { event, id, body, signature }: Delivery,
  onRepeat: () => void,
): Promise<Response> {
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/demo',
    'x-github-event': event,
    'x-github-delivery': id,
    'x-hub-signature-256': signature,
  };
  for (const start = performance.now(); ; onRepeat()) {
    const answer = await fetch(`${url()}/hooks/github`, { method: 'POST', headers, body }).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer && answer.status < 500) return answer;
    if (performance.now() - start > GIVE_UP_MS) throw new Error(`/hooks/github: ${answer?.status ?? 'no answer'}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** As the answer names it: `queue/id`. */
function postedOf(answer: Response, heard: Heard): Posted {
  const [queue = '', id = ''] = (answer.headers.get('sluice-messages') ?? '').split('/');
  if (!answer.ok || id === '') throw new Error(`/hooks/github: ${answer.status}`);
  heard.accepted++;
  return { queue, id };
}
