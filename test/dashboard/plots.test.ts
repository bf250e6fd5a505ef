// What plots and counters say, in a real browser: of steps that are over, where there is nothing, and of one queue.
import type { Page } from 'playwright-core';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COUNTS, DURATIONS } from '../../src/dashboard/measures.ts';
import type { StatsCounters, StatsReport } from '../../src/stats/stats.ts';
import { browserPresent, faultsOf, openBrowser, unrouted } from '../support/browser.ts';
import { signedIn } from '../support/dashboard.ts';
import { deploy, eventually } from '../support/worker.ts';

const deployed = deploy();
const browser = openBrowser();

const NONE = { p50: null, p95: null, p99: null };
const NOTHING: StatsCounters = {
  acked: 0,
  retried: 0,
  dead: 0,
  released: 0,
  leaseExpired: 0,
  discarded: 0,
  waitMs: NONE,
  runMs: NONE,
};
const MINUTE_MS = 60_000;
const NOON = Date.UTC(2026, 6, 1, 12);

/** @param steps the present one last, at whose beginning `now` is */
function report(steps: Partial<StatsCounters>[], stepMs = MINUTE_MS): StatsReport {
  const points = steps.map((step, i) => ({ ...NOTHING, ...step, at: NOON - (steps.length - 1 - i) * stepMs }));
  return { now: NOON + 2_000, stepMs, lastSweepAt: NOON, points, total: { ...NOTHING, acked: 1 } };
}

/** Notes the texts that are on each canvas now. */
const NOTE_TEXTS = `(() => {
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    this.canvas.texts = [];
    return clearRect.apply(this, box);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
    (this.canvas.texts ??= []).push(text);
    return fillText.call(this, text, ...rest);
  };
})()`;

/** How many pixels of the plot of run times have the colour of its last line. */
const COLOURED = `(() => {
  const figure = [...document.querySelectorAll('figure')].find((one) => one.querySelector('h2').textContent === 'Run');
  const canvas = figure.querySelector('canvas');
  const colour = getComputedStyle(figure.querySelector('.dot.hot')).color.match(/[\\d.]+/g).map(Number);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const isColoured = (at) => data[at + 3] > 200 && colour.every((part, i) => Math.abs(data[at + i] - part) < 8);
  return Array.from({ length: data.length / 4 }, (_, i) => 4 * i).filter(isColoured).length;
})()`;

describe.skipIf(!browserPresent)('plots', () => {
  let page: Page;
  let faults: string[];
  beforeAll(async () => {
    page = await signedIn(browser(), deployed().worker.url, deployed().stack.token, {}, async (fresh) => {
      await fresh.addInitScript(NOTE_TEXTS);
      await fresh.clock.setFixedTime(NOON + 2_000);
    });
    faults = faultsOf(page);
  }, 60_000);
  beforeEach(() => unrouted(page));

  const figure = (title: string) => page.locator(`figure:has(h2:text-is("${title}"))`);
  const legend = async (title: string) => (await figure(title).locator('.legend').innerText()).replace(/\s+/g, ' ');
  const pictureOf = (title: string) =>
    figure(title)
      .locator('canvas')
      .evaluate((canvas) => (canvas as unknown as { toDataURL(): string }).toDataURL());
  const textsOf = (title: string) =>
    figure(title)
      .locator('canvas')
      .evaluate((canvas) => (canvas as unknown as { texts: string[] }).texts);

  /** Shows a page whose stats are these, and waits until they are there. */
  async function show(hash: string, stats: StatsReport): Promise<void> {
    await unrouted(page);
    await page.route('**/v1/stats?*', (route) => route.fulfill({ json: stats }));
    await page.goto(`${deployed().worker.url}/#/health`);
    await page.waitForSelector('h1:text-is("Health")');
    await page.goto(`${deployed().worker.url}/${hash}`);
    await eventually('all plots are there', async () => (await page.locator('figure canvas').count()) === 4);
  }

  test.each([
    ['1h', 60, MINUTE_MS, '640 in the last full minute'],
    ['24h', 144, 10 * MINUTE_MS, '640 in the last full 10 min'],
  ])('over %s a step that has just begun is no fall', async (range, count, stepMs, now) => {
    const counters = { acked: 640, waitMs: { p50: 5, p95: 10, p99: 20 } };
    const steps = Array.from({ length: count - 1 }, () => counters);
    const pictures: string[] = [];
    for (const present of [{ ...counters, acked: 640 }, { acked: 9 }]) {
      await show(`#/?range=${range}`, report([...steps, present], stepMs));
      await page.waitForSelector(`small:text-is("${now}")`);
      const perMinute = (640 * MINUTE_MS) / stepMs;
      expect(await legend('Deliveries a minute')).toBe(`acked ${perMinute} retried 0 dead 0`);
      expect(await legend('Wait')).toBe('p50 5 ms p95 10 ms p99 20 ms');
      pictures.push(await pictureOf('Deliveries a minute'));
    }
    expect(pictures[0]).toBe(pictures[1]);
  });

  test('the legend is that of the last step that is over, also where nothing was measured in it', async () => {
    await show('#/', report([{ runMs: { p50: 643, p95: 643, p99: 643 } }, {}, {}]));
    expect(await legend('Run')).toBe('p50 – p95 – p99 –');
  });

  test('a plot without data says so, and has no axis', async () => {
    await show('#/', report(Array.from({ length: 60 }, () => ({}))));
    await page.waitForSelector('.plot.nothing :text("All queues are empty")');
    for (const title of ['Deliveries a minute', 'Wait', 'Run']) {
      expect(await figure(title).innerText()).toContain('A step of 1 min is drawn when it is over.');
      expect(await figure(title).locator('canvas').isVisible()).toBe(false);
    }
  });

  test('marks of an axis differ, however short the times', async () => {
    await show(
      '#/',
      report([...Array.from({ length: 9 }, () => ({ acked: 1, runMs: { p50: 1, p95: 1, p99: 1 } })), {}]),
    );
    const axis = async (title: string, unit: RegExp) => (await textsOf(title)).filter((text) => unit.test(text));
    expect((await axis('Run', / ms$/)).toSorted()).toEqual(['0 ms', '1 ms']);
    expect((await axis('Deliveries a minute', /^[\d.,]+$/)).toSorted()).toEqual(['0', '1']);
  });

  test.each([
    ['counts', COUNTS],
    ['durations', DURATIONS],
  ])('neighbouring marks of %s are told apart, at every distance', (_, { steps, show: text }) => {
    for (const step of steps) {
      const marks = Array.from({ length: 8 }, (_, i) => text(i * step));
      expect([step, new Set(marks).size]).toEqual([step, marks.length]);
    }
  });

  test('a point without neighbours is drawn', async () => {
    const lone = { runMs: { p50: 500, p95: 500, p99: 500 } };
    await show('#/', report(Array.from({ length: 60 }, (_, i) => (i === 30 ? lone : {}))));
    expect(await page.evaluate(COLOURED)).toBeGreaterThan(10);
  });

  test('the four plots of the overview are two rows of two', async () => {
    await show('#/', report([{ acked: 1 }, { acked: 1 }, {}]));
    const boxes = await Promise.all((await page.locator('.plots figure').all()).map((one) => one.boundingBox()));
    const [a, b, c, d] = boxes.map((box) => [box?.x, box?.y, box?.width]);
    expect([a?.[1], c?.[1], a?.[0], b?.[0]]).toEqual([b?.[1], d?.[1], c?.[0], d?.[0]]);
    expect(new Set(boxes.map((box) => Math.round(box?.width ?? 0))).size).toBe(1);
  });

  test("a queue's page has its own counters", async () => {
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const times = { waitMs: { p50: 5, p95: 10, p99: 20 }, runMs: { p50: 1, p95: 2_000, p99: 3_000 } };
    await show(
      '#/queues/confirmation.email',
      report([{}, { ...times, acked: 12, retried: 3, dead: 2, leaseExpired: 1 }, {}]),
    );
    expect(await legend('Acked a minute')).toBe('acked 12');
    expect(await legend('Failed a minute')).toBe('retried 3 dead 2 lease expired 1');
    expect(await legend('Wait')).toBe('p50 5 ms p95 10 ms');
    expect(await legend('Run')).toBe('p50 1 ms p95 2 s');
    expect(asked.some((url) => url.includes('/v1/stats?queue=confirmation.email&range=1h'))).toBe(true);
  });

  test('the queues are listed with what became of their messages lately, in the same request', async () => {
    const recent = {
      ...NOTHING,
      acked: 425,
      retried: 50,
      dead: 25,
      waitMs: { ...NONE, p95: 1_500 },
      runMs: { ...NONE, p95: 40 },
    };
    let requests = 0;
    await page.route('**/v1/queues?*', async (route) => {
      expect(new URL(route.request().url()).searchParams.get('recent')).toBe('true');
      requests++;
      const { queues } = (await (await route.fetch()).json()) as { queues: { queue: string; recent: StatsCounters }[] };
      for (const queue of queues) expect(queue.recent).toEqual(NOTHING);
      await route.fulfill({ json: { queues: queues.map((queue) => ({ ...queue, recent })) } });
    });
    await page.goto(`${deployed().worker.url}/#/queues`);
    const row = page.locator('tr:has(a:text-is("confirmation.email"))');
    await row.waitFor();
    const asked = requests; // in two seconds it asks again
    const cells = ['Acked/min', 'Wait p95'].map((label) => row.locator(`td[data-label="${label}"]`));
    const texts = await Promise.all(cells.map((cell) => cell.innerText()));
    expect(texts).toEqual(['42.5\n15.0 % failed', '1.5 s\nrun 40 ms']);
    expect(asked).toBe(1);
  });

  test('no script failed', () => expect(faults).toEqual([]));
});
