// Events as AWS documents them.

/**
 * A request in the payload format 2.0:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
const REQUEST = {
  version: '2.0',
  routeKey: '$default',
  rawPath: '/my/path',
  rawQueryString: 'parameter1=value1&parameter1=value2&parameter2=value',
  cookies: ['cookie1', 'cookie2'],
  headers: { header1: 'value1', header2: 'value1,value2' } as Record<string, string>,
  queryStringParameters: { parameter1: 'value1,value2', parameter2: 'value' },
  requestContext: {
    accountId: '123456789012',
    apiId: 'api-id',
    domainName: 'id.execute-api.us-east-1.amazonaws.com',
    domainPrefix: 'id',
    http: {
      method: 'POST',
      path: '/my/path',
      protocol: 'HTTP/1.1',
      sourceIp: '192.0.2.1',
      userAgent: 'agent',
    },
    requestId: 'id',
    routeKey: '$default',
    stage: '$default',
    time: '12/Mar/2020:19:03:58 +0000',
    timeEpoch: 1583348638390,
  },
  body: 'Hello from Lambda' as string | undefined,
  pathParameters: { parameter1: 'value1' },
  isBase64Encoded: false,
  stageVariables: { stageVariable1: 'value1', stageVariable2: 'value2' },
};

type Request = Pick<typeof REQUEST, 'headers' | 'cookies' | 'isBase64Encoded' | 'body' | 'rawQueryString'>;

/** That sample with another method, path, and what else is given. */
export function requestEvent(method: string, path: string, given: Partial<Request> = {}): typeof REQUEST {
  const http = { ...REQUEST.requestContext.http, method, path };
  const plain = { rawQueryString: '', cookies: [], body: undefined };
  return { ...REQUEST, ...plain, rawPath: path, requestContext: { ...REQUEST.requestContext, http }, ...given };
}

/** A schedule of a rule: https://docs.aws.amazon.com/eventbridge/latest/userguide/event-reference.html */
export const RULE = {
  version: '0',
  id: '89d1a02d-5ec7-412e-82f5-13505f849b41',
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: '123456789012',
  time: '2016-12-30T18:44:49Z',
  region: 'us-east-1',
  resources: ['arn:aws:events:us-east-1:123456789012:rule/SampleRule'],
  detail: {},
};

/** The same of EventBridge Scheduler, where no input is set. */
export const SCHEDULER = {
  ...RULE,
  source: 'aws.scheduler',
  resources: ['arn:aws:scheduler:us-east-1:123456789012:schedule/default/sluice'],
  detail: '{}',
};
