// Addresses: which URLs a delivery may go to, in every spelling that a URL parser takes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AddressRules, judgeUrl, PUBLIC_ONLY, readHosts } from '../../src/formats/address.ts';

const isTaken = (url: unknown, rules: AddressRules = PUBLIC_ONLY) => 'url' in judgeUrl(url, rules);
const only = (hosts: string, local = false): AddressRules => ({ hosts: readHosts(hosts) ?? [], local });
const LOCAL: AddressRules = { hosts: [], local: true };

describe('public names are taken', () => {
  test.each([
    'https://example.com/hooks?a=b#c',
    'https://EXAMPLE.com./',
    'https://example.com:443/',
    'https://partner.example.co.uk/%2e%2e/x',
    'https://bücher.example.com/',
    'https://localhost.example.com/',
    'https://notlocalhost.com/',
    'https://internal.com/',
  ])('%s', (url) => expect(judgeUrl(url, PUBLIC_ONLY)).toHaveProperty('url'));
});

describe('S10 an address in place of a name is refused: no attempt could succeed on Workers (error 1003)', () => {
  test.each([
    'https://8.8.8.8/',
    'https://8.8.8.8./',
    'https://134744072/',
    'https://0x08080808/',
    'https://100.128.0.0/',
    'https://223.255.255.255/',
    'https://[2606:4700:4700::1111]/',
    'https://[::ffff:8.8.8.8]/',
    'https://[::8.8.8.8]/',
  ])('%s, but where it is listed', (url) => {
    expect(judgeUrl(url, PUBLIC_ONLY)).toEqual({
      fault: 'must name a host, not an address: one that may be called stands in SLUICE_DESTINATION_HOSTS',
    });
    const { hostname } = new URL(url);
    expect(isTaken(url, only(`example.com ${hostname.replace(/\.$/, '')}`))).toBe(true);
  });
});

describe('the inside of a network is refused, however it is spelt', () => {
  test.each([
    // loopback
    'https://127.0.0.1/',
    'https://127.1/',
    'https://127.0.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0X7F.0.0.1/',
    'https://0x7f.1/',
    'https://017700000001/',
    'https://0177.0.0.01/',
    'https://127.0.0.1./',
    'https://127.255.255.254/',
    'https://１２７.０.０.１/',
    'https://①②⑦.⓪.⓪.①/',
    'https://127。0。0。1/',
    'https://%31%32%37.0.0.1/',
    'https://[::1]/',
    'https://[0:0:0:0:0:0:0:1]/',
    'https://[0000::0001]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::FFFF:7f00:1]/',
    'https://[0:0:0:0:0:ffff:7f00:0001]/',
    'https://[::127.0.0.1]/',
    // what routers, clouds and containers use
    'https://0.0.0.0/',
    'https://0/',
    'https://0.1.2.3/',
    'https://10.0.0.1/',
    'https://10.255.255.255/',
    'https://012.1.2.3/',
    'https://167772161/',
    'https://100.64.0.1/',
    'https://100.100.100.200/',
    'https://100.127.255.255/',
    'https://169.254.169.254/latest/meta-data/',
    'https://2852039166/',
    'https://0xa9fea9fe/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[fd00:ec2::254]/',
    'https://172.16.0.1/',
    'https://172.31.255.255/',
    'https://192.0.0.1/',
    'https://192.0.2.1/',
    'https://192.88.99.1/',
    'https://192.168.0.1/',
    'https://3232235521/',
    'https://198.18.0.1/',
    'https://198.19.255.255/',
    'https://198.51.100.7/',
    'https://203.0.113.7/',
    'https://224.0.0.1/',
    'https://239.255.255.255/',
    'https://240.0.0.1/',
    'https://255.255.255.255/',
    'https://168.63.129.16/',
    'https://[::]/',
    'https://[fc00::1]/',
    'https://[fd12:3456::1]/',
    'https://[fe80::1]/',
    'https://[fec0::1]/',
    'https://[ff02::1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[64:ff9b:1::1]/',
    'https://[100::1]/',
    'https://[2001::1]/',
    'https://[2001:10::1]/',
    'https://[2001:1ff::1]/',
    'https://[2001:db8::1]/',
    'https://[2002:7f00:1::]/',
    'https://[3ffe::1]/',
    'https://[3fff::1]/',
    'https://[5f00::1]/',
    // names
    'https://localhost/',
    'https://LOCALHOST./',
    'https://ｌｏｃａｌｈｏｓｔ/',
    'https://a.localhost/',
    'https://redis/',
    'https://redis./',
    'https://printer.local/',
    'https://metadata.google.internal/',
    'https://wiki.intranet/',
    'https://nas.lan/',
    'https://nas.home/',
    'https://nas.home.arpa/',
    'https://mail.corp/',
    'https://abc.onion/',
    'https://a.test/',
    'https://a.invalid/',
    'https://a.example/',
    'https://127.0.0.1.nip.io/',
    'https://10-0-0-1.sslip.io/',
    'https://localtest.me/',
    'https://a.lvh.me/',
    'https://7f000001.08080808.rbndr.us/',
    'https://a..com/',
    'https://.example.com/',
    'https://example.com../',
  ])('%s', (url) => expect(judgeUrl(url, PUBLIC_ONLY)).toHaveProperty('fault'));
});

describe('what is no plain https URL is refused', () => {
  test.each([
    'http://example.com/',
    'HTTP://example.com/',
    'data:text/plain,hello',
    'data:application/json,{}',
    'blob:https://example.com/1',
    'file:///etc/passwd',
    'ftp://example.com/',
    'ws://example.com/',
    'javascript:alert(1)',
    'gopher://example.com/',
    'https:',
    'https://',
    '//example.com/',
    '/hooks',
    'example.com',
    '',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://:secret@example.com/',
    'https://example.com@127.0.0.1/',
    'https://example.com:8443/',
    'https://example.com:80/',
    'https://example.com:65536/',
    'https://example.com\\@127.0.0.1/',
    'https:\\\\example.com/',
    'https://exam\tple.com/',
    'https://example.com/\r\nhost: inside',
    ' https://example.com/',
    'https://example.com/ ',
    'https://example.com/a b',
    'https://exam\u00adple.com/',
    'https://exam\u200bple.com/',
    'https://example.com/\0',
    `https://example.com/${'x'.repeat(2_048)}`,
    undefined,
    null,
    1,
    {},
    ['https://example.com/'],
    new URL('https://example.com/'),
  ])('%j', (url) => expect(judgeUrl(url, PUBLIC_ONLY)).toHaveProperty('fault'));
});

describe('a list of hosts', () => {
  const rules = only('api.example.com, *.partner.example .closed.example.com 10.0.0.7:8443 [fd00::7] billing:443');

  test.each([
    'https://api.example.com/x',
    'https://API.example.com./',
    'https://a.partner.example/',
    'https://a.b.closed.example.com/',
    'https://10.0.0.7:8443/',
    'https://[fd00:0::7]/',
    'https://billing/',
  ])('%s is on it', (url) => expect(isTaken(url, rules)).toBe(true));

  test.each([
    'http://api.example.com/',
    'https://api.example.com:8443/',
    'https://api.example.com.evil.com/',
    'https://xapi.example.com/',
    'https://partner.example/',
    'https://evilpartner.example/',
    'https://10.0.0.7/',
    'https://10.0.0.8:8443/',
    'https://example.org/',
    'https://127.0.0.1/',
  ])('%s is not', (url) => expect(isTaken(url, rules)).toBe(false));

  test.each(['https://a.com', 'a.com/b', 'a.com:99999', '*', '*a.com', 'a b*', '[::1', 'user@a.com', 'a.*.com'])(
    '%s is no host',
    (text) => expect(readHosts(text)).toBeUndefined(),
  );

  test('an empty one lets all public names in', () => {
    expect(readHosts(' , ')).toEqual([]);
  });
});

test('for this machine http, ports and private addresses are taken, and nothing else', () => {
  for (const url of ['http://127.0.0.1:8080/', 'http://localhost/', 'https://[::1]:1/'])
    expect(isTaken(url, LOCAL)).toBe(true);
  for (const url of ['data:,x', 'file:///x', 'http://a@127.0.0.1/', '\\\\127.0.0.1'])
    expect(isTaken(url, LOCAL)).toBe(false);
  expect(isTaken('http://127.0.0.1:1/', only('example.com', true))).toBe(false);
});

describe('for any address', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const spellings = (a: number, b: number, c: number, d: number) => {
    const whole = ((a * 256 + b) * 256 + c) * 256 + d;
    const hex = (n: number) => `0x${n.toString(16)}`;
    const octal = (n: number) => `0${n.toString(8)}`;
    const v6 = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
    return [
      `${whole}`,
      hex(whole),
      octal(whole),
      [a, b, c, d].map(hex).join('.'),
      [a, b, c, d].map(octal).join('.'),
      `${a}.${b}.${c * 256 + d}`,
      `${a}.${(b * 256 + c) * 256 + d}`,
      `${a}.${b}.${c}.${d}.`,
      `[::ffff:${v6}]`,
      `[::ffff:${a}.${b}.${c}.${d}]`,
      `[0:0:0:0:0:FFFF:${v6}]`,
    ];
  };

  test('all spellings of it are refused, and none where another is listed', () => {
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const listed = only(`${a}.${b}.${c}.${d}`);
        for (const host of [`${a}.${b}.${c}.${d}`, ...spellings(a, b, c, d)]) {
          expect([host, isTaken(`https://${host}/`)]).toEqual([host, false]);
          expect([host, isTaken(`https://${host}/`, listed)]).toEqual([host, !host.startsWith('[')]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('of IPv6 too', () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (all) => !isTaken(`https://[${all.map((value) => value.toString(16)).join(':')}]/`)),
      { numRuns: 1_000 },
    );
  });

  test('no text at all makes it throw, and what is taken is https', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl({ withFragments: true, withQueryParameters: true }));
    fc.assert(
      fc.property(text, fc.constantFrom('', 'https://', 'http://', 'https://a@'), (rest, start) => {
        const judged = judgeUrl(start + rest, PUBLIC_ONLY);
        return 'fault' in judged || judged.url.protocol === 'https:';
      }),
      { numRuns: 2_000 },
    );
  });
});
