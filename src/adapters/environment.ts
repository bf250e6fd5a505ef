/** The environment of an adapter: the defaults of its platform below what is set there. */
import { processEnv } from '../runtime/environment.ts';

/**
 * Holds one object for all requests: an engine is opened for each environment.
 * @param defaults settings of the platform, as text, for what is not set
 * @param given left out: the environment of the process
 * @returns gives the environment. It is read at the first call, because the settings may be loaded after the modules are
 */
export function holdEnvironment<Env extends object>(
  defaults: Readonly<Record<string, string>>,
  given?: Env,
): () => Env {
  let held: Env | undefined;
  return () => {
    held ??= { ...defaults, ...(given ?? (processEnv() as Env)) };
    return held;
  };
}
