// A bench whose scripts have small constants: a few delayed messages are more than one record may have.

import { type AdminStore, openAdminStore } from '../../src/store/admin.ts';
import { openStore } from '../../src/store/store.ts';
import { smallRunner } from '../model/small.ts';
import type { Bench } from './bench.ts';

/** From now on the bench's own store is of such scripts. @returns one for operators */
export function shrinkRecords(b: Bench, queues: { name: string; pool: string }[] = []): AdminStore {
  const shard = b.opened(smallRunner(b.runner()), () => b.now);
  b.store = openStore(shard, { queues });
  return openAdminStore(shard);
}
