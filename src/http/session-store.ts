/** Sessions that somebody signed out of: kept for as long as any could still last. The others are stored nowhere. */

import type { Shard } from '../redis/shard.ts';

export interface Sessions {
  /** @param lastsMs the longest that a session lasts @throws StorageError */
  end(id: string, lastsMs: number): Promise<void>;
  /** @throws StorageError */
  hasEnded(id: string): Promise<boolean>;
}

export function openSessions({ send, keys }: Shard): Sessions {
  return {
    async end(id, lastsMs) {
      await send(['SET', keys.session(id), 'ended', 'PX', String(lastsMs)]);
    },
    hasEnded: async (id) => (await send(['EXISTS', keys.session(id)])) !== 0,
  };
}
