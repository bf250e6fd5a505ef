/** What a delivery over HTTP may have set: its method, and which headers. Without a schema, for definitions that need none. */

export const METHODS = ['POST', 'PUT', 'PATCH'] as const;
export type Method = (typeof METHODS)[number];

/** Of a message, and of a queue. */
export const MOST_HEADERS = 32;
const HEADER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
const HEADER_VALUE = /^[\x20-\x7e]{0,4096}$/;
/** What a receiver, or a proxy before it, takes from its own side only: a caller who set it could pass for somebody else. */
const OURS = new RegExp(
  `^(${[
    // the connection, and the proxies on it
    'host|content-(length|encoding)|transfer-encoding|connection|te|trailer|upgrade|expect|keep-alive|http2-settings',
    'accept-encoding|early-data|via|max-forwards|cdn-loop|proxy-.*|cf-.*',
    // for whom it is forwarded
    '.*forwarded.*|x-envoy-.*|.*(client|real|remote|originating|connecting|connection|socket)-?(ip|addr)',
    // another method, host or path than those that were judged
    'x-http-method.*|x-method-override|x-original-.*|x-rewrite-.*|x-host',
    'cookie2?|webhook-.*|svix-.*|sluice-attempt',
  ].join('|')})$`,
  'i',
);

/** Whether callers may have this header sent. */
export function isSendable(name: string, value: string): boolean {
  return HEADER_NAME.test(name) && !OURS.test(name) && HEADER_VALUE.test(value);
}

/** The same of all that a queue has sent. */
export function areSendable(headers: Record<string, string>): boolean {
  const all = Object.entries(headers);
  return (
    all.length <= MOST_HEADERS && all.every(([name, value]) => typeof value === 'string' && isSendable(name, value))
  );
}
