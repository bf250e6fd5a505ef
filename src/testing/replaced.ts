/** An engine in the place of those of a Sluice, for a while: how the code that is tested comes to work on the storage of its test. */
import type { Engines } from '../engine/engines.ts';
import type { Engine } from '../engine.ts';

interface Place {
  env: object;
  engine: Engine;
}

/** What stands in the place of the engines of a Sluice, the newest last. */
const places = new WeakMap<Engines, Place[]>();

/**
 * Has this engine work for its own environment, and for every other one that no test has named: the code that is tested gives
 * whichever it has.
 * @returns a function that takes it back
 */
export function replaceEngine(engines: Engines, place: Place): () => void {
  const stand = places.get(engines) ?? openPlaces(engines);
  stand.push(place);
  return () => {
    if (stand.includes(place)) stand.splice(stand.indexOf(place), 1);
  };
}

/** From here on the engines are asked behind what stands in their place. */
function openPlaces(engines: Engines): Place[] {
  const stand: Place[] = [];
  const find = (env: object) => (stand.find((place) => place.env === env) ?? stand.at(-1))?.engine;
  const { known, of } = engines;
  engines.known = (env) => find(env) ?? known(env);
  engines.of = (env) => find(env) ?? of(env);
  places.set(engines, stand);
  return stand;
}
