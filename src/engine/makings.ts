/** Makings: what a Sluice was made of, and its engines. Adapters and tests make another engine of these, and put it in the place of one. */
import { type Engine, openEngine } from '../engine.ts';
import type { AnyQueue } from '../queue/queue.ts';
import type { Engines } from './engines.ts';
import type { EngineOptions, PlatformParts } from './parts.ts';

export interface Makings {
  queues: ReadonlyMap<string, AnyQueue>;
  options: EngineOptions;
  engines: Engines;
}

/** Not on what createSluice returns: the engine is no part of the public API. */
const known = new WeakMap<object, Makings>();

export const noteMakings = (sluice: object, makings: Makings): void => void known.set(sluice, makings);

/** @throws TypeError where it is none of createSluice's, or of another copy of the package */
export function findMakings(sluice: object): Makings {
  const makings = known.get(sluice);
  if (!makings) throw new TypeError('this is no Sluice, or it was made by another copy of the package');
  return makings;
}

/**
 * Opens an engine with what a platform brings along: from here on it answers all calls with one of these environments.
 * @param envs with equal settings; the first is that of the handlers
 * @throws BadSettings
 */
export function reopenEngine(sluice: object, envs: readonly [object, ...object[]], platform: PlatformParts): Engine {
  const { queues, options, engines } = findMakings(sluice);
  const engine = openEngine(envs[0], queues, { ...options, ...platform });
  for (const env of envs) engines.put(env, engine);
  return engine;
}
