// The scenarios under Node's own test runner, which `node --test` runs in a process of their own.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { run, scenarios } from './scenarios.ts';

for (const [name, scenario] of Object.entries(scenarios)) test(name, scenario);

test("the runner's own fake Date moves the test, before and after it is opened", async () => {
  mock.timers.enable({ apis: ['Date'], now: 0 });
  await run(async ({ sluice, alert, calls }, tested) => {
    await sluice.producer(tested.env).enqueue(alert, 'later', { delay: '1h' });
    mock.timers.tick(3_600_000);
    await tested.drain();
    assert.deepEqual(calls[0], ['alert', 'later', '2030-01-01T09:00:00.000Z']);
  });
  mock.timers.reset();
  assert.ok(Date.now() > Date.parse('2026-01-01'));
});
