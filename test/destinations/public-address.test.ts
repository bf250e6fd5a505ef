// Public addresses: the registry's blocks at their edges, and what carries an address inside another.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPublicAddress } from '../../src/formats/public-address.ts';

/** The first and the last address of each block that is not public, with the public ones before and behind where there are some. */
const EDGES_4: [first: string, last: string, before: string | undefined, behind: string | undefined][] = [
  ['0.0.0.0', '0.255.255.255', undefined, '1.0.0.0'],
  ['10.0.0.0', '10.255.255.255', '9.255.255.255', '11.0.0.0'],
  ['100.64.0.0', '100.127.255.255', '100.63.255.255', '100.128.0.0'],
  ['127.0.0.0', '127.255.255.255', '126.255.255.255', '128.0.0.0'],
  ['168.63.129.16', '168.63.129.16', '168.63.129.15', '168.63.129.17'],
  ['169.254.0.0', '169.254.255.255', '169.253.255.255', '169.255.0.0'],
  ['172.16.0.0', '172.31.255.255', '172.15.255.255', '172.32.0.0'],
  ['192.0.0.0', '192.0.0.255', '191.255.255.255', '192.0.1.0'],
  ['192.0.2.0', '192.0.2.255', '192.0.1.255', '192.0.3.0'],
  ['192.88.99.0', '192.88.99.255', '192.88.98.255', '192.88.100.0'],
  ['192.168.0.0', '192.168.255.255', '192.167.255.255', '192.169.0.0'],
  ['198.18.0.0', '198.19.255.255', '198.17.255.255', '198.20.0.0'],
  ['198.51.100.0', '198.51.100.255', '198.51.99.255', '198.51.101.0'],
  ['203.0.113.0', '203.0.113.255', '203.0.112.255', '203.0.114.0'],
  ['224.0.0.0', '255.255.255.255', '223.255.255.255', undefined],
];

test.each(EDGES_4)('%s to %s are not public, what is beside them is', (first, last, before, behind) => {
  expect([first, last].map(isPublicAddress)).toEqual([false, false]);
  for (const address of [before, behind])
    if (address) expect([address, isPublicAddress(address)]).toEqual([address, true]);
});

test.each([
  '8.8.8.8',
  '168.63.129.15',
  '2606:4700:4700::1111',
  '2606:4700:4700:0:0:0:0:1111',
  '2606:4700:4700:0000:0000:0000:0000:1111',
  '2A00:1450:4001:82A::200E',
  '2000::',
  '3ffe:ffff::1',
  '2001:200::1',
])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

test.each([
  ['loopback', '::1'],
  ['none', '::'],
  ['IPv4 in an old form', '::8.8.8.8'],
  ['link-local', 'fe80::1'],
  ['link-local with a zone', 'fe80::1%eth0'],
  ['site-local', 'fec0::1'],
  ['unique local', 'fc00::1'],
  ['unique local', 'fdff:ffff::1'],
  ['metadata of AWS', 'fd00:ec2::254'],
  ['multicast', 'ff02::1'],
  ['discard', '100::1'],
  ['local NAT64', '64:ff9b:1::808:808'],
  ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  ['ORCHID', '2001:20::1'],
  ['documentation', '2001:db8::1'],
  ['documentation', '3fff::1'],
  ['6to4', '2002:7f00:1::'],
  ['beyond what is given out', '4000::1'],
  ['segment routing', '5f00::1'],
])('%s: %s is not public', (_, address) => expect(isPublicAddress(address)).toBe(false));

describe('an address that carries one of IPv4 is judged by it', () => {
  test.each(['::ffff:', '64:ff9b::'])('%s', (prefix) => {
    expect(isPublicAddress(`${prefix}8.8.8.8`)).toBe(true);
    expect(isPublicAddress(`${prefix}808:808`)).toBe(true);
    for (const inside of ['127.0.0.1', '10.0.0.7', '169.254.169.254', '0.0.0.0', '7f00:1', 'a9fe:a9fe']) {
      expect([inside, isPublicAddress(prefix + inside)]).toEqual([inside, false]);
    }
  });
});

test.each([
  '',
  'localhost',
  'example.com',
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '1::2::3',
  ':',
  '[::1]',
  '8.8.8.8 ',
  '8.8.8.8/24',
  '8.8.8.8@127.0.0.1',
])('what is no address is not public: %j', (text) => expect(isPublicAddress(text)).toBe(false));

test('it judges anything, and throws for nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()), (text) => typeof isPublicAddress(text) === 'boolean'),
  );
});

test('of IPv6 nothing is public but what begins with 2 or 3, and what carries a public address of IPv4', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const hostname = new URL(`http://[${address}]`).hostname.slice(1);
      fc.pre(isPublicAddress(address));
      expect(hostname).toMatch(/^(?:[23][0-9a-f]{3}:|::ffff:|64:ff9b::)/);
    }),
  );
});
