/** Rings of several shards: each whole, at its home. */
import type { Fleet } from '../shards/fleet.ts';
import { placeOfRing } from '../shards/places.ts';
import type { Rings } from './ring.ts';
import { openRings } from './store.ts';

/** With one shard its own store. */
export function openRingsOn(fleet: Fleet): Rings {
  if (!fleet.topology.isMany) return openRings(fleet.all[0]);
  const home = async (ring: string) => {
    await fleet.ready();
    return openRings(fleet.home(placeOfRing(ring)));
  };
  return {
    rotate: async (ring, count) => (await home(ring)).rotate(ring, count),
    add: async (ring, items) => (await home(ring)).add(ring, items),
    remove: async (ring, items) => (await home(ring)).remove(ring, items),
    page: async (ring, limit, cursor) => (await home(ring)).page(ring, limit, cursor),
    drop: async (ring) => (await home(ring)).drop(ring),
    async list(limit, cursor) {
      await fleet.ready();
      const pages = (await fleet.askAll((shard) => openRings(shard).list(limit, cursor))).map(({ answer }) => answer);
      // Of what a page leaves out the others know nothing: only what comes before that can be put together.
      const ends = pages.flatMap((page) => page.cursor ?? []).toSorted();
      const known = pages
        .flatMap(({ rings }) => rings)
        .filter(({ ring }) => ends[0] === undefined || ring <= ends[0])
        .toSorted((one, other) => (one.ring < other.ring ? -1 : 1));
      const rings = known.slice(0, limit);
      const last = known.length > limit ? rings.at(-1)?.ring : ends[0];
      return { rings, ...(last === undefined ? {} : { cursor: last }) };
    },
  };
}
