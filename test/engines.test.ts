// Environments: one engine for one, however it is passed, and no more of them kept than a few.
import { afterEach, describe, expect, test } from 'vitest';
import { holdEnvironment } from '../src/adapters/environment.ts';
import { rememberEngines } from '../src/engine/engines.ts';
import type { Engine } from '../src/engine.ts';
import { openProjects } from './support/project.ts';

const project = openProjects();

describe('engines', () => {
  const open = () => {
    const opened: object[] = [];
    const engines = rememberEngines((env) => ({ number: opened.push(env) }) as unknown as Engine);
    return { opened, of: engines.of, put: engines.put };
  };

  test('one for the same object, and for copies of it', () => {
    const { of, opened } = open();
    const env = { A: '1', B: '2' };
    const engine = of(env);
    expect([of(env), of({ ...env }), of({ B: '2', A: '1' })]).toEqual([engine, engine, engine]);
    expect(opened).toEqual([env]);
  });

  test('another for other values, more of them, or less', () => {
    const { of, opened } = open();
    for (const env of [{ A: '1' }, { A: '2' }, { A: '1', B: '1' }, {}, { A: undefined }]) of(env);
    expect(opened).toHaveLength(5);
  });

  test('bindings that are objects are compared by identity', () => {
    const { of, opened } = open();
    const [A, B] = [{ get: 1 }, { get: 1 }];
    for (const env of [{ A }, { A }, { A: B }]) of(env);
    expect(opened).toHaveLength(2);
  });

  test('what Lambda sets anew for each event makes no other environment', () => {
    const { of, opened } = open();
    for (const _X_AMZN_TRACE_ID of ['Root=1-1', 'Root=1-2']) of({ A: '1', _X_AMZN_TRACE_ID });
    expect(opened).toHaveLength(1);
  });

  test('all else may be a secret of its handlers, whatever its name begins with', () => {
    const { of, opened } = open();
    for (const _SECRET of ['of one tenant', 'of another']) of({ A: '1', _SECRET });
    expect(opened).toHaveLength(2);
  });

  test('an environment that is changed is the one that it was', () => {
    const { of, opened } = open();
    const env = { A: '1' };
    const engine = of(env);
    env.A = '2'; // settings are read once
    expect([of(env), of({ A: '1' })]).toEqual([engine, engine]);
    expect(of({ A: '2' })).not.toBe(engine);
    expect(opened).toHaveLength(2);
  });

  test('with a new value each time the oldest are forgotten, and what is held is not', () => {
    const { of, opened } = open();
    const held = { A: 'held' };
    const engine = of(held);
    for (let request = 0; request < 20; request++) of({ A: `${request}` });
    expect(of(held)).toBe(engine);
    expect(opened).toHaveLength(21);
    of({ ...held });
    expect(opened).toHaveLength(22);
  });

  test('an engine that is put in its place is that of copies, too', () => {
    const { of, put, opened } = open();
    const env = { A: '1' };
    const [first, other] = [of(env), {} as Engine];
    put(env, other);
    expect([of(env), of({ ...env })]).toEqual([other, other]);
    expect(of(env)).not.toBe(first);
    expect(opened).toHaveLength(1);
  });

  test('settings that are wrong are judged again', () => {
    let tries = 0;
    const engines = rememberEngines(() => {
      tries += 1;
      throw new Error('bad settings');
    });
    const env = {};
    for (let i = 0; i < 2; i++) expect(() => engines.of(env)).toThrow('bad settings');
    expect([tries, engines.known(env)]).toEqual([2, undefined]);
  });
});

test('a copy of the environment for each request has one engine', async () => {
  const { sluice, env, environments } = project();
  for (const body of [1, 2]) {
    await sluice.named({ ...env }).enqueue('jobs', body);
    await sluice.tick({ ...env }, { wait: false });
  }
  expect(environments).toHaveLength(2);
  expect(environments[0]).toBe(environments[1]);
});

describe('the environment of the process', () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  });

  test('stands where none is given', async () => {
    const { sluice, env, handled } = project();
    Object.assign(process.env, env);
    await sluice.named().enqueue('jobs', 1);
    expect(await sluice.tick()).toMatchObject({ drain: { delivered: 1 } });
    expect((await sluice.fetch(new Request('https://x.example/health'))).status).toBe(200);
    expect(handled).toEqual([1]);
  });

  test('lies above the defaults of an adapter, which holds one object', () => {
    const defaults = { SLUICE_DRAIN_MS: '30000', SLUICE_CONCURRENCY: '10' };
    process.env.SLUICE_CONCURRENCY = '3';
    const environment = holdEnvironment<Record<string, string>>(defaults);
    expect(environment()).toMatchObject({ SLUICE_DRAIN_MS: '30000', SLUICE_CONCURRENCY: '3' });
    expect(holdEnvironment(defaults)()).toBe(environment());
    expect(holdEnvironment(defaults, { SLUICE_CONCURRENCY: '4' })()).toEqual({ ...defaults, SLUICE_CONCURRENCY: '4' });
  });
});

describe('a tick', () => {
  test('waits for what is due soon, but where it is told not to', async () => {
    const { sluice, env, handled } = project();
    await sluice.named(env).enqueue('jobs', 1, { delay: '4s' }); // it may not be over before the first has looked
    expect((await sluice.tick(env, { wait: false })).drain).toBeUndefined();
    expect(handled).toEqual([]);
    expect((await sluice.tick(env)).drain).toMatchObject({ delivered: 1 });
  });
});
