/**
 * The front: the own public address of the deployment, where its drains start others. In a run with faults it loses such requests, or
 * their answers, or answers when nobody waits any more.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Chance } from './random.ts';

export interface FrontFigures {
  asked: number;
  /** Those that never came to a Worker. */
  lost: number;
  /** Those that a Worker has begun, and of these those whose caller was not told so. */
  begun: number;
  unanswered: number;
}

export interface Front {
  url: string;
  /** From now on this Worker is behind it. */
  serve(worker: () => string): void;
  figures(): FrontFigures;
  close(): Promise<void>;
}

export interface FrontOptions {
  chance: Chance;
  isFaulty: () => boolean;
  /** Called for each drain that a Worker has begun. */
  onBegun: (place: string, worker: string) => void;
}

const LOST = 0.1;
const UNANSWERED = 0.2;
const LATE = 0.05;
/** Longer than a caller waits. */
const LATE_MS = 4_000;

export async function startFront({ chance, isFaulty, onBegun }: FrontOptions): Promise<Front> {
  const figures: FrontFigures = { asked: 0, lost: 0, begun: 0, unanswered: 0 };
  let worker = () => '';

  async function pass({ method = '', url = '', headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    figures.asked += 1;
    const meets = (share: number) => chance.happens(share) && isFaulty();
    const [isLost, isUnanswered, isLate] = [meets(LOST), meets(UNANSWERED), meets(LATE)];
    if (isLost) {
      figures.lost += 1;
      return void response.destroy();
    }
    const behind = worker();
    const { status } = await fetch(behind + url, { method, headers: { authorization: headers.authorization ?? '' } });
    if (status === 202) {
      figures.begun += 1;
      onBegun(new URL(url, behind).searchParams.get('place') ?? '', behind);
    }
    if (isUnanswered || isLate) figures.unanswered += 1;
    if (isLate) await new Promise((resolve) => setTimeout(resolve, LATE_MS).unref());
    if (isUnanswered) response.destroy();
    else response.writeHead(status).end();
  }

  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy()); // the Worker was killed
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve(given) {
      worker = given;
    },
    figures: () => figures,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
