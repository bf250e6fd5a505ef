/** What the front has done, in Prometheus' text format. Of this process: each one is scraped by itself. */
import type { Reach } from './watch.ts';

const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface Metrics {
  noteRequest(status: number, seconds: number): void;
  noteCommands(passed: number, refused: number): void;
  text(now: { inFlight: number; reach: Reach }): string;
}

export function createMetrics(): Metrics {
  const requests = new Map<number, number>();
  const counts = BOUNDS_S.map(() => 0);
  let seconds = 0;
  let passed = 0;
  let refused = 0;
  return {
    noteRequest(status, took) {
      requests.set(status, (requests.get(status) ?? 0) + 1);
      seconds += took;
      for (const [i, bound] of BOUNDS_S.entries()) if (took <= bound) counts[i] = (counts[i] ?? 0) + 1;
    },
    noteCommands(more, denied) {
      passed += more;
      refused += denied;
    },
    text({ inFlight, reach }) {
      const all = [...requests.values()].reduce((sum, count) => sum + count, 0);
      const statuses = [...requests].map(([status, count]): Sample => [`{status="${status}"}`, count]);
      const buckets = BOUNDS_S.map((bound, i): Sample => [`_bucket{le="${bound}"}`, counts[i] ?? 0]);
      return [
        family('requests_total', 'counter', 'Requests by the status of their answer.', statuses),
        family('request_duration_seconds', 'histogram', 'From the head of a request to its answer.', [
          ...buckets,
          ['_bucket{le="+Inf"}', all],
          ['_sum', seconds],
          ['_count', all],
        ]),
        family('commands_total', 'counter', 'Commands that were passed on to Redis.', [['', passed]]),
        family('commands_refused_total', 'counter', 'Commands that are not allowed.', [['', refused]]),
        family('requests_in_flight', 'gauge', 'Requests that have no answer yet.', [['', inFlight]]),
        family('masters', 'gauge', 'Masters of Redis that there should be.', [['', reach.masters]]),
        family('masters_up', 'gauge', 'Masters that answer and take writes.', [['', reach.up]]),
      ].join('');
    },
  };
}

/** What stands behind the family's name, and the value. */
type Sample = [suffix: string, value: number];

function family(suffix: string, type: string, help: string, samples: Sample[]): string {
  const name = `sluice_redis_http_${suffix}`;
  const lines = samples.map(([behind, value]) => `${name}${behind} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}
