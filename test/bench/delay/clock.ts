/**
 * A clock for waits of less than a millisecond, in a thread of its own: it is told an instant and answers when that has come. Timers of
 * Node have whole milliseconds, and a loop that looks all the time would take a core from what is measured.
 */
import { parentPort } from 'node:worker_threads';
import { nowMs } from './now.ts';

const cell = new Int32Array(new SharedArrayBuffer(4)); // nobody writes it: each wait ends by its time

parentPort?.on('message', (at: number) => {
  const ms = at - nowMs();
  if (ms > 0) Atomics.wait(cell, 0, 0, ms);
  parentPort?.postMessage(0);
});
