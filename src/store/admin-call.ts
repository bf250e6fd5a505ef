/** What a call of an operator is made with: the keys, what runs scripts, and the clock. */
import { type Keys, keysOf } from '../redis/keys.ts';
import { type Digits, digits } from '../redis/lua/script.ts';
import { replyOf } from '../redis/runner.ts';
import type { StoreOptions } from './store.ts';

export interface AdminCallOptions extends StoreOptions {
  /** Told where something that waited is ready for a drain now. */
  onWork?: (() => void) | undefined;
}

export interface AdminCall extends Pick<AdminCallOptions, 'onWork'> {
  keys: Keys;
  run: ReturnType<typeof replyOf>;
  /** '' where the server's clock decides. */
  now(): Digits | '';
}

export function openAdminCall({ runner, prefix, clock, onWork }: AdminCallOptions): AdminCall {
  return { keys: keysOf(prefix), run: replyOf(runner), onWork, now: () => (clock ? digits(clock()) : '') };
}
