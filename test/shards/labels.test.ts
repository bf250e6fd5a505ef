// Labels in ids: where they stand, and that an id is otherwise what it was. Pure.
import { describe, expect, test } from 'vitest';
import { params } from '../../src/http/v1/messages.ts';
import { LABELS, labelOf, makeIds, makeLabel, newToken, relabel } from '../../src/message/ids.ts';

const NOW_MS = 1_800_000_000_000;

describe('an id with a label', () => {
  const id = newToken(NOW_MS, 'q7');

  test('has the time, the label and chance, and is as long as one without', () => {
    expect(id).toMatch(/^[0-9A-Za-z]{8}q7[0-9A-Za-z]{10}$/);
    expect(newToken(NOW_MS)).toMatch(/^[0-9A-Za-z]{20}$/);
    expect(newToken(NOW_MS).slice(0, 8)).toBe(id.slice(0, 8));
    expect(new Set(Array.from({ length: 1_000 }, () => newToken(NOW_MS, 'q7'))).size).toBe(1_000);
  });

  test('sorts by age, whatever the labels', () => {
    const labels = ['zz', '00', 'aZ'];
    const tokens = Array.from({ length: 300 }, (_, i) => newToken(NOW_MS + i, labels[i % 3]));
    expect(tokens.toSorted()).toEqual(tokens);
  });

  test('tells it, as do those of a request and of callbacks, and routes take it', () => {
    const ids = [id, ...makeIds(id, 3), `${id}-done1`, `${id}-2-dead1`];
    expect(ids.map(labelOf)).toEqual(ids.map(() => 'q7'));
    for (const each of ids) expect(each).toMatch(params.id);
  });

  test('gets another in its place, and keeps all else', () => {
    const other = relabel(id, 'b0');
    expect(labelOf(other)).toBe('b0');
    expect(relabel(other, 'q7')).toBe(id);
    expect(relabel(newToken(NOW_MS), 'b0')).toHaveLength(20);
  });
});

test('no two labels are the same, and each is two characters of an id', () => {
  const labels = Array.from({ length: LABELS }, (_, index) => makeLabel(index));
  expect(new Set(labels).size).toBe(62 * 62);
  for (const label of labels) expect(label).toMatch(/^[0-9A-Za-z]{2}$/);
});
