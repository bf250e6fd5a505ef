// A handler's signal is made when it is first read, and none the later for it.
import { expect, test } from 'vitest';
import { LazyController, openContext } from '../../src/delivery/context.ts';
import { refuseRing } from '../../src/queue/ring.ts';

const given = {
  env: { greeting: 'hello' },
  traceparent: undefined,
  enqueue: () => Promise.reject(new Error('unused')),
  ring: refuseRing,
};

test('a context has the members it was given and one signal, taken apart, copied or as it is', () => {
  const controller = new LazyController();
  const context = openContext(given, controller);
  const { env, enqueue, signal } = context;
  expect({ env, enqueue }).toEqual({ env: given.env, enqueue: given.enqueue });
  expect(signal).toBeInstanceOf(AbortSignal);
  expect({ ...context }.signal).toBe(signal);
  expect(Object.keys(context).sort()).toEqual(['enqueue', 'env', 'ring', 'signal', 'traceparent']);
  expect(signal.aborted).toBe(false);
});

test('a signal that is read before the abort hears of it, one that is read after it is aborted', () => {
  for (const early of [true, false]) {
    const controller = new LazyController();
    const context = openContext(given, controller);
    const heard: unknown[] = [];
    if (early) context.signal.addEventListener('abort', ({ target }) => heard.push((target as AbortSignal).reason));
    expect(controller.aborted).toBe(false);
    const reason = new DOMException('the drain has to end', 'AbortError');
    controller.abort(reason);
    expect(controller.aborted).toBe(true);
    expect(context.signal.reason).toBe(reason);
    expect(heard).toEqual(early ? [reason] : []);
  }
});
