/** Rings in the store: each call is a script, or a few, that a repeat cannot harm. */

import * as scripts from '../redis/lua/generated.ts';
import { digits } from '../redis/lua/script.ts';
import { list, pairs, strings } from '../redis/reply.ts';
import { makeReplyRunner } from '../redis/runner.ts';
import type { Shard } from '../redis/shard.ts';
import { MAX_RING_ITEMS, type Rings } from './ring.ts';

/** Items that one script removes: each is looked for in the whole ring, which in the largest one takes up to 1 ms. */
const REMOVE_STEP = 25;

export function openRings(shard: Shard): Rings {
  const { keys } = shard;
  const reply = makeReplyRunner(shard);
  return {
    rotate: async (ring, count) => strings(await reply(scripts.rotate, [keys.ring(ring)], [digits(count)])),
    async add(ring, items) {
      const most = digits(MAX_RING_ITEMS);
      const answer = await reply(scripts.ringAdd, [keys.ring(ring), keys.rings], [ring, most, ...items]);
      const [added, length] = strings(answer);
      return added === 'full' ? 'full' : { added: Number(added), length: Number(length) };
    },
    async remove(ring, items) {
      const left = { removed: 0, length: 0 };
      for (let from = 0; from < items.length; from += REMOVE_STEP) {
        const step = items.slice(from, from + REMOVE_STEP);
        const answer = await reply(scripts.ringRemove, [keys.ring(ring), keys.rings], [ring, ...step]);
        const [removed, length] = strings(answer);
        left.removed += Number(removed);
        left.length = Number(length);
      }
      return left;
    },
    async page(ring, limit, cursor) {
      const skip = Number(cursor); // '' is 0
      const answer = await reply(scripts.ringPage, [keys.ring(ring)], [digits(-skip - limit), digits(-skip - 1)]);
      const [total, items] = list(answer);
      const length = Number(total);
      const more = skip + limit < length ? { cursor: String(skip + limit) } : {};
      return { length, items: strings(items).toReversed(), ...more };
    },
    async list(limit, cursor) {
      const from = cursor === '' ? '-' : `(${cursor}`;
      const [last, found] = list(await reply(scripts.ringList, [keys.rings], [keys.root, from, digits(limit)]));
      const rings = pairs(strings(found)).map(([ring, length]) => ({ ring, length: Number(length) }));
      return { rings, ...(last === '' ? {} : { cursor: String(last) }) };
    },
    drop: async (ring) => Number(await reply(scripts.ringDrop, [keys.ring(ring), keys.rings], [ring])),
  };
}
