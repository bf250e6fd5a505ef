/** Public addresses: whether an IP address, as a resolver gives it, belongs to the internet, or to the inside of some network. Pure. */

/**
 * Of IPv4 what is not public, after IANA's registry of special-purpose addresses, and multicast:
 * https://www.iana.org/assignments/iana-ipv4-special-registry
 */
const NOT_PUBLIC_4 = [
  '0.0.0.0/8', // this host
  '10.0.0.0/8',
  '100.64.0.0/10', // shared by carriers (CGNAT), and metadata of Alibaba
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // public by its number: what Azure serves to each machine inside
  '169.254.0.0/16', // link-local, and metadata of most clouds
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // relays of 6to4
  '192.168.0.0/16',
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/3', // multicast, reserved, broadcast
];
/** Of IPv6 this alone is public, */
const PUBLIC_6 = '2000::/3';
/** and of it not these: Teredo and its like, documentation, 6to4, documentation. */
const NOT_PUBLIC_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
/** What carries an IPv4 address in its last 32 bits and is judged by it: mapped, and translated (NAT64). */
const CARRIERS = ['::ffff:0:0/96', '64:ff9b::/96'];

/**
 * Whether an address is one of the public internet.
 * @param address `8.8.8.8` or `2606:4700::1111`, in any valid spelling; what is none is not public, such as one with a zone
 */
export function isPublicAddress(address: string): boolean {
  const bits = bitsOf(address) ?? '';
  if (bits.length === 32) return !isIn(bits, NOT_PUBLIC_4);
  if (isIn(bits, CARRIERS)) return !isIn(bits.slice(96), NOT_PUBLIC_4);
  return isIn(bits, [PUBLIC_6]) && !isIn(bits, NOT_PUBLIC_6);
}

function isIn(bits: string, blocks: string[]): boolean {
  return blocks.some((block) => {
    const [address = '', length] = block.split('/');
    return bits.startsWith((bitsOf(address) ?? '').slice(0, Number(length)));
  });
}

/** @returns 32 or 128 of `0` and `1`; undefined where it is no address */
function bitsOf(address: string): string | undefined {
  const url = `http://${address.includes(':') ? `[${address}]` : address}`;
  if (!/^[\da-f:.]+$/i.test(address) || !URL.canParse(url)) return undefined;
  const { hostname } = new URL(url); // in one spelling
  if (hostname.startsWith('[')) return joinBits(expand(hostname.slice(1, -1)), 16);
  return /^[\d.]+$/.test(address) && hostname === address ? joinBits(hostname.split('.'), 10) : undefined;
}

const joinBits = (parts: string[], base: 10 | 16) =>
  parts
    .map((part) =>
      Number.parseInt(part, base)
        .toString(2)
        .padStart(base === 10 ? 8 : 16, '0'),
    )
    .join('');

/** The eight groups of an IPv6 address. */
function expand(address: string): string[] {
  const [head = [], tail] = address.split('::').map((part) => (part === '' ? [] : part.split(':')));
  if (!tail) return head;
  return [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
}
