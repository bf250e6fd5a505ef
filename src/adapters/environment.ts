/** The environment of an adapter: the defaults of its platform below what is set there. */
import { processEnv } from '../runtime/environment.ts';

type Defaults = Readonly<Record<string, string>>;

const held = new WeakMap<Defaults, WeakMap<object, object>>();

/**
 * Holds one object for all that is served with the same defaults in the same environment, because each environment has an engine.
 * @param defaults settings of the platform, as text, for what is not set; the same object each time
 * @param given left out: the environment of the process
 * @returns gives the environment. It is read at the first call, because the settings may be loaded after the modules are
 */
export function holdEnvironment<Env extends object>(defaults: Defaults, given?: Env): () => Env {
  return () => {
    const env = given ?? (processEnv() as Env);
    const ofDefaults = held.get(defaults) ?? new WeakMap();
    const known = ofDefaults.get(env) ?? { ...defaults, ...env };
    held.set(defaults, ofDefaults.set(env, known));
    return known as Env;
  };
}
