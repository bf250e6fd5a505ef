// Stands for the platform: one instance of the function, which gets one event at a time, of HTTP (version 2) or of EventBridge.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { buffer } from 'node:stream/consumers';

const bundle = process.env.BUNDLE;
const { handler } = bundle.endsWith('.cjs') ? createRequire(import.meta.url)(bundle) : await import(bundle);

/** Where the test asks for what the platform's scheduler does. */
const SCHEDULER = '/-/scheduler';

const scheduled = {
  version: '0',
  id: '53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa',
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: '123456789012',
  time: '2026-10-08T16:53:06Z',
  region: 'us-east-1',
  resources: ['arn:aws:events:us-east-1:123456789012:rule/every-minute'],
  detail: {},
};

async function toEvent(incoming) {
  const { pathname, search } = new URL(incoming.url, 'http://127.0.0.1');
  const body = await buffer(incoming);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: search.slice(1),
    headers: incoming.headers,
    requestContext: {
      accountId: '123456789012',
      apiId: 'api-id',
      domainName: incoming.headers.host,
      domainPrefix: 'id',
      http: {
        method: incoming.method,
        path: pathname,
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: incoming.headers['user-agent'] ?? '',
      },
      requestId: 'id',
      routeKey: '$default',
      stage: '$default',
      time: '08/Oct/2026:16:53:06 +0000',
      timeEpoch: Date.now(),
    },
    ...(body.length > 0 ? { body: body.toString('base64') } : {}),
    isBase64Encoded: body.length > 0,
  };
}

let last = Promise.resolve();
/** One after another: an instance is given the next event when it has answered the last. */
function invoke(event) {
  const context = { awsRequestId: 'id', functionName: 'app', getRemainingTimeInMillis: () => 30_000 };
  last = last.then(() => handler(event, context));
  return last;
}

createServer(async (incoming, outgoing) => {
  const event = incoming.url === SCHEDULER ? scheduled : await toEvent(incoming);
  const { statusCode = 200, headers = {}, body = '', isBase64Encoded = false } = (await invoke(event)) ?? {};
  outgoing.writeHead(statusCode, headers).end(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'));
}).listen(Number(process.env.PORT), '127.0.0.1');
