/** How a call of an operator is made: the script, with the root of all keys before its arguments. */
import { type Keys, keysOf } from '../redis/keys.ts';
import type { Runner, Script } from '../redis/runner.ts';
import type { StoreOptions } from './store.ts';

export interface AdminCallOptions extends StoreOptions {
  /** Told where something that waited is ready for a drain now. */
  onWork?: (() => void) | undefined;
}

export interface AdminCall extends Pick<AdminCallOptions, 'onWork'> {
  keys: Keys;
  runner: Runner;
  run(script: Script, names: string[], args: string[]): Promise<unknown>;
  /** '' where the server's clock decides. */
  now(): string;
}

export function openAdminCall({ runner, prefix, clock, onWork }: AdminCallOptions): AdminCall {
  const keys = keysOf(prefix);
  const head = [keys.root];
  return {
    keys,
    runner,
    onWork,
    run: async (script, names, args) => (await runner.run(script, names, [...head, ...args])).reply,
    now: () => (clock ? String(clock()) : ''),
  };
}
