// Arguments of calls by the names of their cards: what torture and the demo read of what passes.
import { expect, test } from 'vitest';
import { nameArguments } from '../../scripts/lua/named.ts';

test('an argument has the name of its card, and a name that the card has not is an error', () => {
  const args = [
    '{x}:',
    '',
    'lease',
    '1000',
    '2',
    '3',
    '4000000',
    '0',
    '5',
    '100',
    '1',
    '6',
    '',
    '7',
    '',
    '0',
    '',
    '*',
    'ack',
  ];
  const { named, more } = nameArguments('sync', args);
  expect(['lease', 'leaseMs', 'held', 'pools', 'segments'].map(named)).toEqual(['lease', '1000', '2', '1', '6']);
  expect(more).toEqual(['*', 'ack']);
  expect(() => named('runs')).toThrow('the card of sync has no argument runs');
  expect(() => nameArguments('exchange', [])).toThrow('there is no script named exchange');
});
