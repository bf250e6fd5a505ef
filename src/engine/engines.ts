/** The engines of a process: one for each environment, however it is passed. */
import type { Engine } from '../engine.ts';

type Values = Readonly<Record<string, unknown>>;

/** An environment as it was when its engine was opened. */
interface Opened {
  values: Values;
  count: number;
  engine: Engine;
}

/** So many environments are known by what they hold. Who passes another one with each call gets an engine each time, and no more are kept. */
const MOST = 8;

export interface Engines {
  /** @throws BadSettings */
  of(env: object): Engine;
  /** Undefined where none could be opened. */
  known(env: object): Engine | undefined;
  /** From here on this is the engine of the environment, and of copies of it. */
  put(env: object, engine: Engine): void;
}

export function rememberEngines(open: (env: object) => Engine): Engines {
  /** Bindings of a Worker are the same object for as long as its isolate lives. */
  const byIdentity = new WeakMap<object, Engine>();
  const latest: Opened[] = [];

  function findCopied(env: object): Engine | undefined {
    const names = namesIn(env);
    const engine = latest.find((opened) => isSame(opened, env as Values, names))?.engine;
    if (engine) byIdentity.set(env, engine);
    return engine;
  }

  function put(env: object, engine: Engine): void {
    byIdentity.set(env, engine);
    latest.unshift({ values: { ...env }, count: namesIn(env).length, engine });
    latest.length = Math.min(latest.length, MOST);
  }

  return {
    known: (env) => byIdentity.get(env),
    put,
    of(env) {
      const known = byIdentity.get(env) ?? findCopied(env);
      if (known) return known;
      const engine = open(env);
      put(env, engine);
      return engine;
    },
  };
}

/** Without what AWS Lambda sets anew for each event. */
const namesIn = (env: object) => Object.keys(env).filter((name) => name !== '_X_AMZN_TRACE_ID');

const isSame = ({ values, count }: Opened, others: Values, names: string[]): boolean =>
  names.length === count && names.every((name) => others[name] === values[name]);
