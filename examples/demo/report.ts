/** The demo's result: figures from what was enqueued and what arrived, and the table that shows them. Pure. */
import type { Heard } from './github.ts';
import type { Delivered } from './outbox.ts';
import type { Posted } from './producer.ts';

export interface QueueFigures {
  enqueued: number;
  delivered: number;
  redelivered: number;
  dead: number;
  lost: number;
  waitP50Ms: number;
  waitP99Ms: number;
}

export interface Figures {
  enqueued: number;
  delivered: number;
  redelivered: number;
  dead: number;
  lost: number;
  inversions: number;
  /** Of messages of different shards. */
  inversionsAcross: number;
  shards: { name: string; messages: number }[];
  queues: Record<string, QueueFigures>;
  commandsPerMessage: number;
  roundTripsPerMessage: number;
  /** From the POST on an idle system to the arrival at the outbox. */
  wakeP50Ms: number;
  wakeP99Ms: number;
  /** Messages in leases at the moment of the kill. */
  heldWhenKilled: number;
  /** Producers' requests sent again. */
  repeats: number;
  webhooks: Heard;
  seconds: number;
  redis: string;
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
}

/** @param dead ids of dead letters */
export function figuresOf(posted: Posted[], deliveries: Delivered[], dead: Set<string>): Record<string, QueueFigures> {
  const queues: Record<string, QueueFigures> = {};
  for (const [queue, messages] of [...Map.groupBy(posted, (message) => message.queue)].toSorted()) {
    const ids = new Set(messages.map(({ id }) => id));
    const arrived = Map.groupBy(
      deliveries.filter(({ id }) => ids.has(id)),
      ({ id }) => id,
    );
    const waits = [...arrived.values()].map(([first]) => first?.waitMs ?? 0);
    queues[queue] = {
      enqueued: ids.size,
      delivered: arrived.size,
      redelivered: [...arrived.values()].reduce((sum, { length }) => sum + length - 1, 0),
      dead: [...ids].filter((id) => dead.has(id)).length,
      lost: [...ids].filter((id) => !arrived.has(id) && !dead.has(id)).length,
      waitP50Ms: percentile(waits, 0.5),
      waitP99Ms: percentile(waits, 0.99),
    };
  }
  return queues;
}

const COLUMNS = ['enqueued', 'delivered', 'redelivered', 'dead', 'lost', 'waitP50Ms', 'waitP99Ms'] as const;
const HEADINGS = ['queue', 'enqueued', 'delivered', 'redelivered', 'dead', 'lost', 'wait p50 ms', 'wait p99 ms'];

export function tableOf(queues: Record<string, QueueFigures>): string {
  const rows = Object.entries(queues).map(([queue, figures]) => [
    queue,
    ...COLUMNS.map((column) => String(figures[column])),
  ]);
  return gridOf(HEADINGS, rows);
}

/** Columns under their headings: the first to the left, numbers to the right. */
export function gridOf(headings: string[], rows: string[][]): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
