/** Everybody who takes part. */
import type { Contender } from '../contender.ts';
import { beeQueue } from './bee-queue.ts';
import { bullmq } from './bullmq.ts';
import { cloudflareQueues } from './cloudflare-queues.ts';
import { sluiceLibrary } from './sluice-library.ts';
import { sluiceWorker } from './sluice-worker.ts';
import { textbook } from './textbook.ts';
import { textbookReliable } from './textbook-reliable.ts';
import { upstashQueue } from './upstash-queue.ts';

export const CONTENDERS: Contender[] = [
  textbook(1),
  textbook(10),
  textbookReliable(1),
  textbookReliable(10),
  upstashQueue,
  bullmq(1),
  bullmq(10),
  bullmq(100),
  beeQueue,
  cloudflareQueues,
  sluiceLibrary(),
  sluiceLibrary({ drains: 4 }),
  sluiceWorker(),
  sluiceWorker({ drains: 10 }),
];
