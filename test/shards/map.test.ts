// The map of shards: its text, the homes it gives, its changes, and the old homes that it remembers. Pure.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../src/errors.ts';
import {
  formerHomesIn,
  homeIn,
  type MapEntry,
  makeInitialMap,
  type Pin,
  parseMap,
  type ShardMap,
  writeMap,
} from '../../src/shards/map.ts';
import { type MapChange, nextMap } from '../../src/shards/next-map.ts';
import { type Place, placeName } from '../../src/shards/placement.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = 1_800_000_000_000;

const initial = (...names: string[]) =>
  makeInitialMap(names.map((name) => ({ name, weight: 1, state: 'active' as const })));
const stateOf = (map: ShardMap, name: string) => map.shards.find((shard) => shard.name === name)?.state;
const labelsOf = ({ shards }: ShardMap) => shards.map(({ label }) => label);

/** The map after changes of one hour each. */
const changed = (map: ShardMap, ...changes: MapChange[]) =>
  changes.reduce((map, change, i) => nextMap(map, change, NOW_MS + i * HOUR_MS), map);

const PLACES = Array.from({ length: 400 }, (_, i): Place => `q:queue-${i}`);
/** One that has its home on this shard. */
const placeOn = (map: ShardMap, shard: string) => PLACES.find((place) => homeIn(map, place) === shard) as Place;
/** One that goes from one shard to another with a change. */
const placeBetween = (map: ShardMap, next: ShardMap, to: string) =>
  PLACES.find((place) => homeIn(map, place) !== to && homeIn(next, place) === to) as Place;

describe('the first map', () => {
  test('has the shards of the settings with their labels, and no pins', () => {
    const map = makeInitialMap([
      { name: 'a', weight: 1, state: 'active' },
      { name: 'b', weight: 2, state: 'joining' },
    ]);
    expect(map).toMatchObject({ epoch: 1, pins: [], changedAt: 0 });
    expect(map.shards.map(({ label: _, ...shard }) => shard)).toEqual([
      { name: 'a', weight: 1, state: 'active' },
      { name: 'b', weight: 2, state: 'joining' },
    ]);
    for (const label of labelsOf(map)) expect(label).toMatch(/^[0-9A-Za-z]{2}$/);
    expect(map).not.toHaveProperty('before');
  });

  test('is the same for whoever makes it, and needs one that is active', () => {
    expect(writeMap(initial('a', 'b'))).toBe(writeMap(initial('a', 'b')));
    expect(labelsOf(initial('a', 'b')).toReversed()).toEqual(labelsOf(initial('b', 'a')));
    expect(() => makeInitialMap([{ name: 'a', weight: 1, state: 'joining' }])).toThrow('one shard at least');
    expect(() => makeInitialMap([{ name: 'a', weight: 0, state: 'active' }])).toThrow(
      'a weight must be above 0; got 0',
    );
  });

  test('gives a thousand shards a thousand labels', () => {
    const map = initial(...Array.from({ length: 1_000 }, (_, i) => `shard-${i}`));
    expect(new Set(labelsOf(map)).size).toBe(1_000);
  });
});

describe('the text of a map', () => {
  const entry = fc.record({
    name: fc.stringMatching(/^[a-z0-9-]{1,32}$/),
    label: fc.stringMatching(/^[0-9A-Za-z]{2}$/),
    state: fc.constantFrom<MapEntry['state']>('joining', 'active', 'draining', 'gone'),
    weight: fc.double({ min: 0.001, max: 1_000, noNaN: true }),
  });
  const pin = fc.record<Pin>(
    { place: fc.string({ unit: 'binary' }), shard: fc.string(), until: fc.constant('empty') },
    { requiredKeys: ['place', 'shard'] },
  );
  const homes = {
    shards: fc.array(entry, { maxLength: 5 }),
    pins: fc.array(pin, { maxLength: 5 }),
    changedAt: fc.nat(),
  };
  const { map } = fc.letrec<{ map: ShardMap; before: NonNullable<ShardMap['before']> }>((tie) => ({
    before: fc.record({ ...homes, before: tie('before') }, { requiredKeys: ['shards', 'pins', 'changedAt'] }),
    map: fc.record(
      { epoch: fc.integer({ min: 1, max: 999_999_999_999_999 }), ...homes, before: tie('before') },
      { requiredKeys: ['epoch', 'shards', 'pins', 'changedAt'] },
    ),
  }));

  test('is read as it was written, and begins with the epoch', () => {
    fc.assert(
      fc.property(map, (map) => {
        const text = writeMap(map);
        expect(text.split(' ', 1)).toEqual([String(map.epoch)]);
        expect(parseMap(text)).toEqual(map);
        expect(writeMap(parseMap(text))).toBe(text);
      }),
    );
  });

  const written = writeMap(changed(initial('a', 'b'), { kind: 'pin', pins: [{ place: 'q:x', shard: 'a' }] }));

  test.each([
    ['nothing', ''],
    ['no epoch', written.replace(/^2 /, '')],
    ['an epoch that is none', written.replace(/^2/, '0')],
    ['half of it', written.slice(0, -9)],
    ['a list', '2 []'],
    ['an unknown state', written.replace('"active"', '"asleep"')],
    ['a weight of 0', written.replace('"weight":1', '"weight":0')],
    ['a weight in words', written.replace('"weight":1', '"weight":"1"')],
    ['no pins', written.replace('"pins"', '"needles"')],
    ['a pin to nothing', written.replace('"shard":"a"', '"shard":null')],
    ['a pin until something else', written.replace('"shard":"a"', '"shard":"a","until":"full"')],
    ['no time', written.replace(`"changedAt":${NOW_MS}`, '"changedAt":null')],
    ['a map before that is none', written.replace('"before":{', '"before":{"shards":1,"was":')],
  ])('that is %s is no map', (_, text) => {
    expect(text).not.toBe(written);
    expect(() => parseMap(text)).toThrow(StorageError);
    expect(() => parseMap(text)).toThrow('storage garbled');
  });
});

describe('a home', () => {
  const three = initial('a', 'b', 'c');

  test('is where placement says, over the active ones alone', () => {
    const map = changed(three, { kind: 'drain', shard: 'b' });
    const active = map.shards.filter(({ name }) => name !== 'b');
    for (const place of PLACES) expect(homeIn(map, place)).toBe(placeName(place, active));
    const joining = makeInitialMap([
      { name: 'a', weight: 1, state: 'active' },
      { name: 'b', weight: 1, state: 'joining' },
    ]);
    expect(new Set(PLACES.map((place) => homeIn(joining, place)))).toEqual(new Set(['a']));
  });

  test('is where the nearest pin says: what is not empty yet, then the place itself, then its longest beginning', () => {
    const pins: Pin[] = [
      { place: 'q:*', shard: 'a' },
      { place: 'q:bill*', shard: 'b' },
      { place: 'q:bills', shard: 'c' },
      { place: 'q:bills', shard: 'a', until: 'empty' },
      { place: 'q:billing', shard: 'c' },
      { place: 'q:billing/*', shard: 'c' },
      { place: 'q:billing/*', shard: 'a', until: 'empty' },
    ];
    for (const listed of [pins, pins.toReversed()]) {
      const map = changed(three, { kind: 'pin', pins: listed });
      expect(homeIn(map, 'q:mail')).toBe('a');
      expect(homeIn(map, 'q:bill')).toBe('b');
      expect(homeIn(map, 'q:billed')).toBe('b');
      expect(homeIn(map, 'q:bills')).toBe('a');
      expect(homeIn(map, 'q:billing')).toBe('c');
      expect(homeIn(map, 'q:billing/eu')).toBe('a');
      expect(homeIn(map, 's:bill')).toBe(homeIn(three, 's:bill'));
    }
  });
});

describe('a change', () => {
  const two = initial('a', 'b');

  test('makes the next epoch, and leaves the map as it was', () => {
    const text = writeMap(two);
    const next = nextMap(two, { kind: 'drain', shard: 'a' }, NOW_MS);
    expect(next).toMatchObject({ epoch: 2, changedAt: NOW_MS, before: { shards: two.shards, pins: [], changedAt: 0 } });
    expect(writeMap(two)).toBe(text);
  });

  test('activates one that joins, one that drains and one that the map does not know', () => {
    const joining = makeInitialMap([
      { name: 'a', weight: 1, state: 'active' },
      { name: 'b', weight: 3, state: 'joining' },
    ]);
    expect(changed(joining, { kind: 'activate', shard: 'b' }).shards[1]).toEqual({
      ...joining.shards[1],
      state: 'active',
    });
    expect(stateOf(changed(two, { kind: 'drain', shard: 'a' }, { kind: 'activate', shard: 'a' }), 'a')).toBe('active');
    const known = changed(two, { kind: 'activate', shard: 'c', weight: 2 });
    expect(known.shards[2]).toMatchObject({ name: 'c', state: 'active', weight: 2 });
    expect(new Set(labelsOf(known)).size).toBe(3);
  });

  test('drains all but the last, and lets go what has drained or never began', () => {
    const draining = changed(two, { kind: 'drain', shard: 'a' });
    expect(stateOf(draining, 'a')).toBe('draining');
    expect(() => changed(draining, { kind: 'drain', shard: 'b' })).toThrow('shard b is the last that is active');
    expect(() => changed(two, { kind: 'forget', shard: 'a' })).toThrow('shard a is active: it has to drain first');
    const gone = changed(draining, { kind: 'forget', shard: 'a' });
    expect(stateOf(gone, 'a')).toBe('gone');
    expect(() => changed(gone, { kind: 'activate', shard: 'a' })).toThrow('its name is not used again');
    expect(() => changed(gone, { kind: 'drain', shard: 'a' })).toThrow('shard a is gone: only an active one drains');
    for (const kind of ['drain', 'forget'] as const)
      expect(() => changed(two, { kind, shard: 'z' })).toThrow('shard z is joining');
  });

  test('never gives a label again, also not that of one that is gone', () => {
    let map = two;
    const labels = new Set(labelsOf(map));
    for (let i = 0; i < 60; i++) {
      map = changed(map, { kind: 'activate', shard: `s${i}` }, { kind: 'drain', shard: `s${i}` });
      map = changed(map, { kind: 'forget', shard: `s${i}` });
      const label = map.shards.at(-1)?.label ?? '';
      expect(labels).not.toContain(label);
      labels.add(label);
    }
    // The name's own label, which another has by now.
    const own = initial('s7').shards[0]?.label ?? '';
    const taken: ShardMap = { ...two, shards: [{ name: 'a', label: own, state: 'active', weight: 1 }] };
    expect(changed(taken, { kind: 'activate', shard: 's7' }).shards[1]?.label).not.toBe(own);
  });

  test('sets weights', () => {
    expect(changed(two, { kind: 'weigh', shard: 'b', weight: 2.5 }).shards[1]?.weight).toBe(2.5);
    for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => changed(two, { kind: 'weigh', shard: 'b', weight })).toThrow('a weight must be above 0');
  });

  test('pins and lifts pins, of one place that of an operator and the other apart', () => {
    const exact = { place: 'q:x', shard: 'a' };
    const held = { place: 'q:x', shard: 'b', until: 'empty' } as const;
    const pinned = changed(two, { kind: 'pin', pins: [exact, held] });
    expect(pinned.pins).toEqual([exact, held]);
    expect(changed(pinned, { kind: 'pin', pins: [{ ...exact, shard: 'b' }] }).pins).toEqual([
      { ...exact, shard: 'b' },
      held,
    ]);
    expect(changed(pinned, { kind: 'unpin', unpin: [{ place: 'q:x' }] }).pins).toEqual([held]);
    expect(changed(pinned, { kind: 'unpin', unpin: [{ place: 'q:x', until: 'empty' }] }).pins).toEqual([exact]);
  });

  test('pins nothing to where it could not be, and nothing that is no place', () => {
    const map = changed(initial('a', 'b', 'c'), { kind: 'drain', shard: 'b' });
    const pin =
      (shard: string, until?: 'empty', place = 'q:x') =>
      () =>
        changed(map, { kind: 'pin', pins: [{ place, shard, ...(until && { until }) }] });
    expect(pin('b')).toThrow('nothing can be pinned to shard b: it is draining');
    expect(pin('b', 'empty')).not.toThrow();
    expect(pin('z')).toThrow('shard z is joining');
    for (const place of ['mail', 'q:', 'x:mail', '*', '']) expect(pin('a', undefined, place)).toThrow('is no place');
  });

  test('takes with a shard what is pinned there: of one that drains all but what is to be emptied', () => {
    const held = { place: 'q:y', shard: 'a', until: 'empty' } as const;
    const elsewhere = { place: 'q:z', shard: 'b' };
    const pinned = changed(two, { kind: 'pin', pins: [{ place: 'q:x', shard: 'a' }, held, elsewhere] });
    const kept = { place: 'q:x', shard: 'a', until: 'empty' } as const;
    const draining = changed(pinned, { kind: 'drain', shard: 'a', pins: [kept] });
    expect(draining.pins).toEqual([held, elsewhere, kept]);
    expect(changed(draining, { kind: 'forget', shard: 'a' }).pins).toEqual([elsewhere]);
  });

  test.each<[string, MapChange]>([
    ['activate', { kind: 'activate', shard: 'a' }],
    ['drain', { kind: 'drain', shard: 'b', pins: [{ place: 'q:x', shard: 'b', until: 'empty' }] }],
    ['weigh', { kind: 'weigh', shard: 'a', weight: 4 }],
    ['pin', { kind: 'pin', pins: [{ place: 'q:x', shard: 'a' }] }],
    ['unpin', { kind: 'unpin', unpin: [{ place: 'q:x' }] }],
  ])('%s that is made again changes nothing, also after the map was stored', (_, change) => {
    const map = parseMap(writeMap(changed(two, change)));
    expect(nextMap(map, change, NOW_MS + 1)).toBe(map);
  });

  test('that activates moves to the new one alone, and what is pinned to its old home not at all', () => {
    const next = changed(two, { kind: 'activate', shard: 'c' });
    const moved = PLACES.filter((place) => homeIn(next, place) !== homeIn(two, place));
    expect(new Set(moved.map((place) => homeIn(next, place)))).toEqual(new Set(['c']));
    const pins = moved.map((place): Pin => ({ place, shard: homeIn(two, place), until: 'empty' }));
    const pinned = changed(two, { kind: 'activate', shard: 'c', pins });
    for (const place of PLACES) expect(homeIn(pinned, place)).toBe(homeIn(two, place));
  });
});

describe('old homes', () => {
  const two = initial('a', 'b');
  const three = nextMap(two, { kind: 'activate', shard: 'c' }, NOW_MS);
  const moved = placeBetween(two, three, 'c');
  const old = homeIn(two, moved);

  test('are asked for 25 hours, of what has moved', () => {
    expect(formerHomesIn(two, moved, NOW_MS)).toEqual([]);
    expect(formerHomesIn(three, placeOn(two, 'a'), NOW_MS)).toEqual([]);
    expect(formerHomesIn(three, moved, NOW_MS + 25 * HOUR_MS)).toEqual([old]);
    expect(formerHomesIn(three, moved, NOW_MS + 25 * HOUR_MS + 1)).toEqual([]);
  });

  test('are all remembered where homes move again, each as long as it counts', () => {
    const back = nextMap(three, { kind: 'drain', shard: 'c' }, NOW_MS + 10 * HOUR_MS);
    const again = nextMap(back, { kind: 'pin', pins: [{ place: moved, shard: 'a' }] }, NOW_MS + 20 * HOUR_MS);
    const homes = (hours: number) => formerHomesIn(again, moved, NOW_MS + hours * HOUR_MS).toSorted();
    const all = ['a', 'b', 'c'].filter((name) => name !== 'a' && [old, homeIn(back, moved), 'c'].includes(name));
    expect(homes(21)).toEqual(all);
    expect(homes(35)).toContain('c');
    expect(homes(36)).not.toContain('c');
    expect(homes(46)).toEqual([]);
  });

  test('that are gone are asked no more', () => {
    const draining = nextMap(three, { kind: 'drain', shard: old }, NOW_MS + 1);
    const gone = nextMap(draining, { kind: 'forget', shard: old }, NOW_MS + 2);
    expect(formerHomesIn(draining, moved, NOW_MS + 3)).toEqual([old]);
    expect(formerHomesIn(gone, moved, NOW_MS + 3)).toEqual([]);
  });

  test('are known however many pins were lifted since, and count from when each was lifted', () => {
    const places = PLACES.filter((place) => homeIn(two, place) !== homeIn(three, place));
    const pins = places.slice(1).map((place): Pin => ({ place, shard: homeIn(two, place), until: 'empty' }));
    let map = nextMap(two, { kind: 'activate', shard: 'c', pins }, NOW_MS);
    for (const [i, { place }] of pins.entries())
      map = nextMap(map, { kind: 'unpin', unpin: [{ place, until: 'empty' }] }, NOW_MS + i * 60_000);
    expect(pins.length).toBeGreaterThan(50);
    expect(map.epoch).toBe(2 + pins.length);
    for (const place of places) expect(formerHomesIn(map, place, NOW_MS + 3 * HOUR_MS)).toEqual([homeIn(two, place)]);
    expect(writeMap(map).length).toBeLessThan(100 * (pins.length + 10));
  });

  test('of a pin that is lifted days later are those of the pin', () => {
    const pins: Pin[] = [{ place: moved, shard: old, until: 'empty' }];
    const pinned = nextMap(two, { kind: 'activate', shard: 'c', pins }, NOW_MS);
    const days = NOW_MS + 72 * HOUR_MS;
    const lifted = nextMap(pinned, { kind: 'unpin', unpin: [{ place: moved, until: 'empty' }] }, days);
    expect(homeIn(lifted, moved)).toBe('c');
    expect(formerHomesIn(lifted, moved, days + HOUR_MS)).toEqual([old]);
  });

  test('do not pile up, by changes within a day or over many', () => {
    const busy = Array.from({ length: 100 }, (_, i) => ({ kind: 'weigh', shard: 'a', weight: i + 2 }) as const);
    const within = busy.reduce((map, change, i) => nextMap(map, change, NOW_MS + i * 1_000), two);
    const over = busy.reduce((map, change, i) => nextMap(map, change, NOW_MS + i * 24 * HOUR_MS), two);
    expect(writeMap(within).split('"changedAt"').length - 1).toBe(9);
    expect(writeMap(over).split('"changedAt"').length - 1).toBeLessThanOrEqual(4);
  });
});
