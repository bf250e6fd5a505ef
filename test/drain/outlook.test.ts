// What a drain makes of answers that come in any order: it never rests where `awake` may stand, and forgets no timer.
import { expect, test } from 'vitest';
import { Outlook } from '../../src/drain/outlook.ts';

type Step = ['begin', string] | ['short' | 'full' | 'kept' | 'lost', string] | ['ask'];

/** @returns whether the drain has nothing to look for after these */
function follow(steps: Step[]): boolean {
  const outlook = new Outlook();
  const numbers = new Map<string, number>();
  for (const [what, name = ''] of steps) {
    const number = numbers.get(name) ?? 0;
    if (what === 'begin') numbers.set(name, outlook.begin());
    else if (what === 'ask') outlook.ask();
    else if (what === 'lost') outlook.noteFailure(true);
    else {
      outlook.noteLook(number, what === 'short', true, what === 'kept' ? 0 : undefined);
      outlook.noteAnswer(number, undefined);
    }
  }
  return outlook.isDrained;
}

const both: Step[] = [
  ['begin', 'x'],
  ['begin', 'y'],
];

test.each<[string, Step[], boolean]>([
  [
    'one that is short',
    [
      ['begin', 'x'],
      ['short', 'x'],
    ],
    true,
  ],
  [
    'one that is full',
    [
      ['begin', 'x'],
      ['full', 'x'],
    ],
    false,
  ],
  [
    'one that found something, and said that it looks again',
    [
      ['begin', 'x'],
      ['kept', 'x'],
    ],
    false,
  ],
  [
    'the same, when that look has found nothing',
    [
      ['begin', 'x'],
      ['kept', 'x'],
      ['begin', 'x'],
      ['short', 'x'],
    ],
    true,
  ],
  [
    'a short one behind one that found something, and may have run before it',
    [...both, ['kept', 'x'], ['short', 'y']],
    false,
  ],
  ['two that are short', [...both, ['short', 'x'], ['short', 'y']], true],
  ['a full one behind a short one', [...both, ['short', 'x'], ['full', 'y']], false],
  ['a short one behind a full one, which may have run later', [...both, ['full', 'x'], ['short', 'y']], false],
  [
    'a short one that began behind the answer of a full one',
    [
      ['begin', 'x'],
      ['full', 'x'],
      ['begin', 'y'],
      ['short', 'y'],
    ],
    true,
  ],
  ['a short one behind one without an answer', [...both, ['lost', 'x'], ['short', 'y']], false],
  ['one without an answer behind a short one', [...both, ['short', 'x'], ['lost', 'y']], false],
  ['a short one that began before somebody asked', [['begin', 'x'], ['ask'], ['short', 'x']], false],
  [
    'the same, with another that began later and has no answer yet',
    [['begin', 'x'], ['ask'], ['begin', 'y'], ['short', 'x']],
    false,
  ],
  ['and that one is short', [['begin', 'x'], ['ask'], ['begin', 'y'], ['short', 'x'], ['short', 'y']], true],
])('after %s it rests only where nobody counts on it', (_, steps, isDrained) => {
  expect(follow(steps)).toBe(isDrained);
});

test('it looks again in a moment for what came since it found something, at once where it came back full', () => {
  const outlook = new Outlook();
  outlook.noteLook(outlook.begin(), false, true, 1_000);
  expect(outlook).toMatchObject({ looksFrom: 1_025, hasKept: true });
  outlook.noteAnswer(outlook.begin(), undefined); // of a sync that takes nothing
  expect(outlook.looksFrom).toBe(1_025);
  const [x, y] = [outlook.begin(), outlook.begin()];
  outlook.noteLook(x, false, true);
  expect(outlook).toMatchObject({ looksFrom: 0, hasKept: false });
  outlook.noteLook(y, false, true, 2_000);
  expect(outlook.looksFrom).toBe(0); // it may have run before that
});

test('of two that overlap the earlier timer counts, and the next one that is alone says what is true', () => {
  const outlook = new Outlook();
  const [x, y] = [outlook.begin(), outlook.begin()];
  outlook.noteAnswer(y, 500);
  outlook.noteAnswer(x, undefined); // it ran before the timer was set, perhaps
  expect(outlook.nextDueAt).toBe(500);
  outlook.noteAnswer(outlook.begin(), undefined);
  expect(outlook.nextDueAt).toBeUndefined();
});

test('storage knows that it may sleep where a look was alone: no other sync beside it, and nothing held', () => {
  const outlook = new Outlook();
  const [x, y] = [outlook.begin(), outlook.begin()];
  outlook.noteLook(x, true, true);
  outlook.noteAnswer(x, undefined);
  expect(outlook.wasAlone).toBe(false);
  outlook.noteLook(y, true, true);
  outlook.noteAnswer(y, undefined);
  expect(outlook.wasAlone).toBe(false);
  const z = outlook.begin();
  outlook.noteLook(z, true, false);
  expect(outlook.wasAlone).toBe(false);
  outlook.noteAnswer(z, undefined);
  outlook.noteLook(outlook.begin(), true, true);
  expect(outlook.wasAlone).toBe(true);
});
