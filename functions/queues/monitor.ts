/**
 * Watching sites: a ring of them, of which each check takes the next few, and an alert for each outage.
 *
 * Any number of Workers may check at once: each rotation gives other sites. A second ring holds what is down, as
 * `<since> <site>`. That names the outage and is the dedup key of its alert: however often it is seen, it is told once.
 */

import { defineQueue, type HandlerContext, type Ring } from 'sluice';
import * as z from 'zod/mini';
import type { Env } from '../env.ts';
import { record } from './outbox.ts';

const SITES = 'monitor.sites';
const DOWN = 'monitor.down';
/** Of the six connections that an invocation may have waiting one is storage's: a check has the others for itself. */
const AT_ONCE = 5;

const Check = z.object({
  /** Sites of this check. */
  count: z._default(z.int().check(z.minimum(1), z.maximum(AT_ONCE)), AT_ONCE),
  /** What has not answered by then is down. */
  timeoutMs: z._default(z.int().check(z.minimum(100), z.maximum(10_000)), 5_000),
});
const Alert = z.object({ site: z.string(), fault: z.string(), since: z.string() });

export const monitorAlert = defineQueue('monitor.alert', {
  priority: 0,
  schema: Alert,
  timeout: '10s',
  handler: (message, { env, signal }: HandlerContext<Env>) => record(message, env, signal),
});

/** What starts it, every ten seconds say, is its producer's business: a schedule, or whoever enqueues. */
export const monitorCheck = defineQueue('monitor.check', {
  priority: 2,
  schema: Check,
  timeout: '20s',
  subrequests: AT_ONCE + 4, // the sites; rotate, read what is down, note, clear
  async handler({ body, enqueuedAt }, { signal, enqueue, ring }: HandlerContext<Env>) {
    const sites = await ring(SITES).rotate(body.count);
    const checks = await Promise.all(sites.map((site) => check(site, body.timeoutMs, signal)));
    const outages = await note(ring(DOWN), checks, enqueuedAt);
    for (const { site, fault, outage } of outages)
      await enqueue(monitorAlert, alertOf(site, fault, outage), dedupOf(outage));
    return { checks }; // kept where the message has a resultTtl
  },
});

interface Checked {
  site: string;
  /** Left out: it is up. */
  fault?: string;
}

/** @throws where the handler's own time is over: that is no fault of the site */
async function check(site: string, timeoutMs: number, signal: AbortSignal): Promise<Checked> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const answer = await fetch(site, { redirect: 'manual', signal: within });
    await answer.body?.cancel();
    return answer.status < 500 ? { site } : { site, fault: `it answered ${answer.status}` };
  } catch {
    signal.throwIfAborted();
    return { site, fault: within.aborted ? `no answer within ${timeoutMs} ms` : 'no connection' };
  }
}

/**
 * Keeps the notes of what is down. They are made before the alerts, which go with the handler's ack: after a crash between
 * the two the next check finds the note, and alerts under its key.
 * @returns every outage that these checks saw, new or not
 */
async function note(ring: Ring, checks: Checked[], at: number): Promise<(Required<Checked> & { outage: string })[]> {
  const known = await outagesOf(ring);
  const seen = checks.flatMap(({ site, fault }) =>
    fault === undefined ? [] : [{ site, fault, outage: known.get(site) ?? `${at} ${site}` }],
  );
  const begun = seen.filter(({ site }) => !known.has(site)).map(({ outage }) => outage);
  const over = checks.filter(({ fault }) => fault === undefined).flatMap(({ site }) => known.get(site) ?? []);
  if (begun.length > 0) await ring.add(begun);
  if (over.length > 0) await ring.remove(over);
  return seen;
}

const alertOf = (site: string, fault: string, outage: string) => ({
  site,
  fault,
  since: new Date(Number.parseInt(outage, 10)).toISOString(),
});

/** A key has at most 256 characters. An outage that lasts is told again each day. */
const dedupOf = (outage: string) => ({ dedup: { key: outage.slice(0, 256), window: '1d' } });

/** Site to its outage. */
async function outagesOf(ring: Ring): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  let cursor: string | undefined = '';
  while (cursor !== undefined) {
    const page = await ring.items(1_000, cursor); // more than one only where a thousand sites are down
    for (const outage of page.items) known.set(outage.slice(outage.indexOf(' ') + 1), outage);
    cursor = page.cursor;
  }
  return known;
}
