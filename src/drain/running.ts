/** Running: the deliveries whose handlers were called and have not answered, and what ends them early. */
import type { OpenSpan } from '../telemetry/tracing.ts';
import type { Delivery } from './deliver.ts';

export interface Running {
  delivery: Delivery;
  controller: AbortController;
  startedAt: number;
  deadline: number;
  span: OpenSpan | undefined;
  settled: boolean;
  /** Where it stands among those that run. */
  place: number;
}

/**
 * In no order. A list and no Map: a Map that empties with each batch is made anew as it shrinks, each one refers to the
 * next, and one that got old keeps all later ones, and the messages in them, from the quick part of garbage collection.
 */
export class RunningList {
  readonly #all: Running[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(running: Running): void {
    running.place = this.#all.push(running) - 1;
  }

  /** The last one takes its place. */
  delete(running: Running): void {
    const last = this.#all.pop();
    if (!last || last === running) return;
    last.place = running.place;
    this.#all[running.place] = last;
  }

  /** A copy: they may be deleted while it is gone through. */
  values(): Running[] {
    return [...this.#all];
  }

  clear(): void {
    this.#all.length = 0;
  }
}
