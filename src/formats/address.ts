/**
 * Addresses: which URLs a delivery may go to, so that nobody reaches the inside of a network through the Worker (SSRF).
 *
 * Pure. It judges the parsed URL, never its text: the parser folds every spelling of a host into one. What a public name
 * resolves to it cannot see: delivery/guard.ts does, where the runtime lets it.
 */

/** A host that may be called: itself, or with a dot in front all names below it. */
export interface HostRule {
  host: string;
  port: string;
}

export interface AddressRules {
  /** Only these, whatever else is refused. None: any public name, by https. */
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

/** @param host as the parser writes it, who makes dotted decimals of every spelling of an address */
function insideFault(host: string): string | undefined {
  if (host.startsWith('[') || /^[\d.]+$/.test(host)) return NO_NAME;
  const labels = host.split('.');
  if (labels.length < 2 || labels.some((label) => label === '')) return 'must have a public host name';
  return INSIDE.some((name) => `.${host}`.endsWith(`.${name}`)) ? 'must not name a private network' : undefined;
}

/** Workers reach no address (error 1003), and elsewhere it may be one of the inside. */
const NO_NAME = 'must name a host, not an address: one that may be called stands in SLUICE_DESTINATION_HOSTS';

/** Names without a public meaning, and public ones that turn any address into a name. */
const INSIDE = (
  'localhost local localdomain internal intranet lan home corp private home.arpa onion test invalid example ' +
  'nip.io sslip.io xip.io localtest.me lvh.me vcap.me lacolhost.com traefik.me local.gd localho.st 1u.ms rbndr.us rebind.network'
).split(' ');
