/**
 * Addresses: which URLs a delivery may go to, so that nobody reaches the inside of a network through the Worker (SSRF).
 *
 * Pure. It judges the parsed URL, never its text: the parser folds every spelling of a host into one. What a public name
 * resolves to it cannot see; docs/deliveries.md says what that leaves open.
 */

/** A host that may be called: itself, or with a dot in front all names below it. */
export interface HostRule {
  host: string;
  port: string;
}

export interface AddressRules {
  /** Only these, whatever else is refused. None: any public https address. */
  hosts: readonly HostRule[];
  /** Openly for this machine: http, every port and private addresses too. */
  local: boolean;
}

/** What holds where nobody has said otherwise. */
export const PUBLIC_ONLY: AddressRules = { hosts: [], local: false };

/** The longest URL, in characters. */
export const MAX_URL_LENGTH = 2_048;

const PORTS: Record<string, string> = { 'https:': '443', 'http:': '80' };
const UNSAFE = /[\s\\\p{C}]/u; // the parser would drop or turn some of them, and then two readers see two hosts

/** @returns the URL, or why it is refused: the rest of a sentence that begins with the field */
export function judgeUrl(text: unknown, { hosts, local }: AddressRules): { url: URL } | { fault: string } {
  const plain = typeof text === 'string' && text.length <= MAX_URL_LENGTH && !UNSAFE.test(text);
  if (!plain || !URL.canParse(text)) return { fault: `must be a URL of at most ${MAX_URL_LENGTH} characters` };
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(local && url.protocol === 'http:')) return { fault: 'must begin with https://' };
  if (url.username !== '' || url.password !== '') return { fault: 'must have no user name and no password' };
  const host = url.hostname.toLowerCase().replace(/\.$/, '');
  const port = url.port || PORTS[url.protocol];
  if (hosts.length > 0) {
    const listed = hosts.some((rule) => rule.port === port && isBelow(host, rule.host));
    return listed ? { url } : { fault: 'is not at a host of SLUICE_DESTINATION_HOSTS' };
  }
  if (local) return { url };
  if (port !== '443') return { fault: 'must use port 443' };
  const fault = insideFault(host);
  return fault ? { fault } : { url };
}

/** @param text hosts between commas or blanks: `api.example.com`, `*.example.com`, `10.0.0.7:8443`. @returns undefined where one is none */
export function readHosts(text: string): HostRule[] | undefined {
  const rules = text.split(/[\s,]+/).flatMap((item) => (item === '' ? [] : [hostRule(item)]));
  return rules.every((rule) => rule !== undefined) ? rules : undefined;
}

function hostRule(item: string): HostRule | undefined {
  const [, suffix, host, port = '443'] = /^(\*?\.)?(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(\d{1,5}))?$/i.exec(item) ?? [];
  if (!host || !URL.canParse(`https://${host}:${port}`)) return undefined;
  return { host: (suffix ? '.' : '') + new URL(`https://${host}`).hostname, port };
}

const isBelow = (host: string, rule: string) => (rule.startsWith('.') ? host.endsWith(rule) : host === rule);

function insideFault(host: string): string | undefined {
  const v4 = /^\d+\.\d+\.\d+\.\d+$/.test(host) ? numberOf(host.split('.').map(Number), 8) : undefined;
  if (v4 !== undefined) return isPrivateV4(v4) ? PRIVATE : undefined;
  if (host.startsWith('[')) return isPrivateV6(groupsOf(host)) ? PRIVATE : undefined;
  const labels = host.split('.');
  if (labels.length < 2 || labels.some((label) => label === '')) return 'must have a public host name';
  return INSIDE.some((name) => `.${host}`.endsWith(`.${name}`)) ? 'must not name a private network' : undefined;
}

const PRIVATE = 'must not be an address of a private or reserved network';

// The last one is a provider's, in a public range: Azure's host.
const PRIVATE_V4 = blocks(
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 ' +
    '192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32',
  (text) => numberOf(text.split('.').map(Number), 8),
);
/** Of IPv6 only this is given out to the public ... */
const GLOBAL_V6: Block = [0x2000_0000, 3];
/** ... but for Teredo and ORCHID, documentation, 6to4, and the former 6bone. The first 32 bits tell. */
const PRIVATE_V6 = blocks('2001:0/23 2001:db8/32 2002:0/16 3ffe:0/16 3fff:0/20', (text) =>
  numberOf(
    text.split(':').map((group) => Number.parseInt(group, 16)),
    16,
  ),
);

/** Names without a public meaning, and public ones that turn any address into a name. */
const INSIDE = (
  'localhost local localdomain internal intranet lan home corp private home.arpa onion test invalid example ' +
  'nip.io sslip.io xip.io localtest.me lvh.me vcap.me lacolhost.com traefik.me local.gd localho.st 1u.ms rbndr.us rebind.network'
).split(' ');

/** The first bits of an address, and how many of them count. */
type Block = readonly [number, number];

function blocks(text: string, read: (address: string) => number): Block[] {
  return text.split(' ').map((block) => {
    const [address = '', bits] = block.split('/');
    return [read(address), Number(bits)];
  });
}

function numberOf(parts: number[], bits: number): number {
  return parts.reduce((sum, part) => sum * 2 ** bits + part, 0);
}

const isIn = (address: number, [start, bits]: Block) => (address ^ start) >>> (32 - bits) === 0;

const isPrivateV4 = (address: number) => PRIVATE_V4.some((block) => isIn(address, block));

function isPrivateV6(groups: number[]): boolean {
  const [a = 0, b = 0, , , , f = 0, g = 0, h = 0] = groups;
  // An IPv4 address in the form of IPv6: mapped (::ffff:0:0/96) or compatible (::/96). The inner one is judged.
  const holdsV4 = groups.slice(0, 5).every((group) => group === 0) && (f === 0 || f === 0xffff);
  if (holdsV4) return isPrivateV4(numberOf([g, h], 16));
  const first = numberOf([a, b], 16);
  return !isIn(first, GLOBAL_V6) || PRIVATE_V6.some((block) => isIn(first, block));
}

/** @param host as the URL parser writes it: in brackets, compressed, without dots */
function groupsOf(host: string): number[] {
  const [left = [], right] = host
    .slice(1, -1)
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))));
  return right ? [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right] : left;
}
