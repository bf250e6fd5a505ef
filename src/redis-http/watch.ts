/**
 * Looks at each master again and again, so that whoever asks for the state of Redis is told without asking Redis, and a connection on
 * which nothing comes back any more is given up: the network may have lost it without a word.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Connection } from './connection.ts';

export interface Reach {
  /** Masters that answer, and take writes. */
  up: number;
  masters: number;
}

export interface Watch {
  reach(): Reach;
  stop(): void;
}

const EVERY_MS = 500;

/** @param timeoutMs after which a master that does not answer counts as away */
export async function startWatch(connection: Connection, isCluster: boolean, timeoutMs: number): Promise<Watch> {
  let reach: Reach = { up: 0, masters: connection.size() };
  const look = async () => {
    const answers = await Promise.all(connection.masters().map((node) => isUp(node, isCluster, timeoutMs)));
    reach = { up: answers.filter(Boolean).length, masters: Math.max(1, connection.size()) };
  };
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const lookAgain = async () => {
    await look();
    if (!isStopped) timer = setTimeout(lookAgain, EVERY_MS);
  };
  await lookAgain();
  return {
    reach: () => reach,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** Behind whatever is under way on its connection. A primary that has become a replica is no master, wherever its address leads next. */
async function isUp(node: Redis, isCluster: boolean, timeoutMs: number): Promise<boolean> {
  if (node.status !== 'ready') return false;
  const asked = isCluster ? node.cluster('INFO') : node.info('replication');
  const answer = await Promise.race([asked.catch(String), pause(timeoutMs, undefined, { ref: false })]);
  if (answer === undefined || /^role:slave/m.test(answer)) node.disconnect(true);
  else return isCluster ? answer.includes('cluster_state:ok') : answer.includes('role:master');
  return false;
}
