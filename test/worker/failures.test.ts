// What a handler throws: kept with its message with the place, printed for a developer, and in no log of a deployment. Through a
// bundle in workerd.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildBundle } from '../../src/dev/bundle.ts';
import { type Deployed, deploy, eventually } from '../support/worker.ts';

const bundle = await buildBundle('test/support/failing.ts', { named: true });
/** Of the function there that throws. */
const LINE =
  readFileSync('test/support/failing.ts', 'utf8')
    .split('\n')
    .findIndex((line) => line.startsWith('const customerOf')) + 1;
const byDefault = deploy({ bundle });
const withoutStacks = deploy({ bundle, env: { SLUICE_FAILURE_STACKS: 'false' } });
const forDevelopers = deploy({ bundle, env: { SLUICE_LOG_ERRORS: 'true', SLUICE_FAILURE_STACKS: 'false' } });

interface Failure {
  kind: string;
  text: string;
  stack?: string;
}

/** @returns the failure of a message, when its only attempt is over */
async function failureIn({ call }: Deployed, queue: string, body: object = {}): Promise<Failure> {
  const { id } = (await (await call(`/v1/queues/${queue}/messages`, { body: { body } })).json()) as { id: string };
  let failures: Failure[] = [];
  await eventually('it has failed', async () => {
    const answer = await call(`/v1/messages/${id}`, { method: 'GET' });
    ({ failures } = (await answer.json()) as { failures: Failure[] });
    return failures.length > 0;
  });
  return failures[0] as Failure;
}

describe('a failure that is kept', () => {
  test("has the first frames of a handler's error, without its message, a line each", async () => {
    const { text, stack = '' } = await failureIn(byDefault(), 'bug');
    expect(text).toBe("TypeError: Cannot read properties of undefined (reading 'name')");
    expect(stack.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^at customerOf \(.*failing\.js:\d+:\d+\)$/),
      expect.stringMatching(/^at .*handler.* \(.*failing\.js:\d+:\d+\)$/),
    ]);
  });

  test('has no line of a message that looks like a frame, and has the cause', async () => {
    const { text, stack = '' } = await failureIn(byDefault(), 'lines');
    expect(text).toBe('Error: a message at work (elsewhere.js:1:1) of three lines');
    expect(stack).not.toContain('elsewhere');
    expect(stack).toMatch(/^at .*failing\.js(.*\n)+caused by RangeError: its cause\nat /);
  });

  test('is bounded, text and stack each, and both are whole in a list too', async () => {
    const kept = await failureIn(byDefault(), 'deep');
    expect(kept.text).toBe(`Error: ${'x'.repeat(493)}`);
    expect(kept.stack?.length).toBeLessThanOrEqual(500);
    for (const frame of kept.stack?.split('\n') ?? []) expect(frame).toMatch(/^at .*:\d+:\d+\)?$/);
    const page = await byDefault().call('/v1/queues/deep/messages?state=dead', { method: 'GET' });
    const { messages } = (await page.json()) as { messages: { failures: Failure[] }[] };
    expect(messages[0]?.failures[0]).toEqual(kept);
  });

  test.each([
    ['refusing', 'refused', 'NonRetriableError: no such customer'],
    ['later', 'failed', 'RetryAfterError: not yet'],
    ['text', 'failed', 'threw string: just a text'],
  ])('of what is thrown on purpose, or is no error, has none: %s', async (queue, kind, text) => {
    expect(await failureIn(byDefault(), queue)).toEqual({ kind, text, attempt: 1, at: expect.any(Number) });
  });

  test('has none where the setting says so', async () => {
    const kept = await failureIn(withoutStacks(), 'bug');
    expect(Object.keys(kept).toSorted()).toEqual(['at', 'attempt', 'kind', 'text']);
  });

  test('counts as one cause wherever it was thrown', async () => {
    await failureIn(byDefault(), 'bug');
    await failureIn(byDefault(), 'bug');
    const answer = await byDefault().call('/v1/queues/bug/dead/causes', { method: 'GET' });
    const { causes } = (await answer.json()) as { causes: { text: string }[] };
    expect(causes.map(({ text }) => text)).toEqual(["TypeError: Cannot read properties of undefined (reading 'name')"]);
  });
});

describe('the log', () => {
  test('has neither text nor stack by default', async () => {
    await failureIn(byDefault(), 'bug');
    await eventually('it is logged', () => byDefault().logs.some((line) => line.includes('"queue":"bug"')));
    expect(byDefault().logs.join('\n')).not.toMatch(/TypeError|customerOf/);
  });

  test("has both for a developer, with the lines of the developer's own files", async () => {
    await failureIn(forDevelopers(), 'bug');
    const printed = () => forDevelopers().logs.find((line) => line.startsWith('TypeError: Cannot read'));
    await eventually('it is printed', () => printed() !== undefined);
    expect(printed()?.split('\n')[1]).toMatch(
      new RegExp(`^\\s*at customerOf \\(test/support/failing\\.ts:${LINE}:\\d+\\)$`),
    );
    const unchecked = await forDevelopers().call('/v1/queues/unchecked/messages', { body: { body: {} } });
    expect([unchecked.status, (await unchecked.text()).includes('customer')]).toEqual([500, false]);
    await eventually('what a schema threw too', () =>
      forDevelopers().logs.some((line) => /^TypeError: Cannot read.*\n +at customerOf .*\n +at .*validate/.test(line)),
    );
    await failureIn(forDevelopers(), 'refusing');
    await eventually('a refusal too', () => forDevelopers().logs.includes('NonRetriableError: no such customer'));
  });
});
