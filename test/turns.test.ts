// The judge of the monitor scenario is judged: whatever a turn or an alert can be wrong in shows in its figures.
import { expect, test } from 'vitest';
import { figuresOfTurns, isSound, type Turn, tableOfSites } from '../examples/demo/turns.ts';

const SITES = new Map([
  ['a:', 'site a'],
  ['b:', 'site b'],
]);
const up = (...sites: string[]) => sites.map((site) => ({ site }));
const down = (...sites: string[]) => sites.map((site) => ({ site, fault: 'no connection' }));

const sound: Turn[] = [
  { checks: up('a:', 'b:'), down: [] },
  { checks: [...up('a:'), ...down('b:')], down: ['b:'] },
  { checks: [...up('a:'), ...down('b:')], down: ['b:'] },
  { checks: up('b:', 'a:'), down: [] },
  { checks: [...down('b:'), ...up('a:')], down: ['b:'] },
];

test('each site once in each turn, an alert for each outage: sound', () => {
  const figures = figuresOfTurns(SITES, sound, ['b:', 'b:']);
  expect(figures.sites).toEqual({
    'site a': { checks: 5, failures: 0, outages: 0, alerts: 0 },
    'site b': { checks: 5, failures: 3, outages: 2, alerts: 2 },
  });
  expect(isSound(figures)).toBe(true);
  expect(tableOfSites(figures.sites).split('\n').slice(2)).toEqual([
    'site b         5         3        2       2',
    '1 others       5         0        0       0',
  ]);
});

const ALERTS = ['b:', 'b:'];
test.each<{ name: string; turns?: Turn[]; alerts?: string[]; shows: object }>([
  { name: 'a site left out', turns: [...sound, { checks: up('a:'), down: [] }], shows: { missed: 1 } },
  {
    name: 'a site checked twice',
    turns: [...sound, { checks: up('a:', 'b:', 'a:'), down: [] }],
    shows: { repeated: 1 },
  },
  {
    name: 'one left out for one checked twice',
    turns: [...sound, { checks: up('a:', 'a:'), down: [] }],
    shows: { missed: 1, repeated: 1 },
  },
  {
    name: 'a site taken for down',
    turns: [...sound, { checks: [...up('b:'), ...down('a:')], down: [] }],
    shows: { misjudged: 1 },
  },
  {
    name: 'an outage not seen',
    turns: [{ checks: up('a:', 'b:'), down: ['b:'] }],
    alerts: ['b:'],
    shows: { misjudged: 1 },
  },
  { name: 'an outage without an alert', alerts: ['b:'], shows: { wronglyAlerted: 1 } },
  { name: 'an outage alerted twice', alerts: [...ALERTS, 'b:'], shows: { wronglyAlerted: 1 } },
  { name: "an alert for another's outage", alerts: ['a:', 'b:'], shows: { wronglyAlerted: 2 } },
  { name: 'an alert for what is no site', alerts: [...ALERTS, 'c:'], shows: { outages: 2, alerts: 3 } },
])('$name: not sound', ({ turns = sound, alerts = ALERTS, shows }) => {
  const figures = figuresOfTurns(SITES, turns, alerts);
  expect(figures).toMatchObject(shows);
  expect(isSound(figures)).toBe(false);
});
