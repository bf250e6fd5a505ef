/** The environment of the process: what stands for the settings where none are given. */

const NONE = {};

/** Empty where the platform has none, as a Worker without `nodejs_compat`. The same object each time: it is one deployment. */
export function processEnv(): object {
  const { process } = globalThis as { process?: { env?: object } };
  return process?.env ?? NONE;
}
