/** The OpenAPI document of the API: made from the route table and the very schemas that validate. Pure. */
import * as z from 'zod/mini';
import { MEANINGS } from '../problem.doc.ts';
import { PROBLEMS, type ProblemCode } from '../problem.ts';
import type { Answer, OpenApi, Operation, Parameter, Reference } from './document.ts';
import type { DocumentedRoute } from './documented.ts';
import { type AnswerDoc, TAGS } from './operation.ts';
import { listProblems, PROBLEM_HEADERS } from './problems.ts';
import { ROUTES } from './routes.ts';
import { namedSchemas, toJsonSchema } from './schemas.ts';

const DESCRIPTION = `A priority message queue for serverless functions, on a Redis reached over HTTP.

Durations are milliseconds or text such as "90s", "5m", "1h30m", up to a year; instants are epoch milliseconds.
Errors are application/problem+json (RFC 9457) with a stable code.`;

const HEADERS: OpenApi['components']['headers'] = {
  Allow: { description: 'Methods that the path takes.', schema: { type: 'string' } },
  'Idempotent-Replayed': {
    description: 'The request had been applied before: this is its answer, and nothing was enqueued.',
    schema: { type: 'string', const: 'true' },
  },
  'Sluice-Messages': {
    description: 'What it became: `queue/id`, with `, ` between several.',
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'When to ask again, s.', schema: { type: 'integer', minimum: 0 } },
  'WWW-Authenticate': { description: 'How to come back.', schema: { type: 'string' } },
};

const IDEMPOTENCY_KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Makes the request repeatable for 24 hours: 1 to 255 visible ASCII characters. Keys of different tokens do not meet.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
};

export function buildDocument(version: string): OpenApi {
  return {
    openapi: '3.1.0',
    info: { title: 'Sluice', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'The deployment that serves this document.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: pathsOf(ROUTES),
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of this deployment; each call names its scope.',
        },
      },
      parameters: { 'Idempotency-Key': IDEMPOTENCY_KEY },
      headers: HEADERS,
      responses: Object.fromEntries(ROUTES.flatMap(refusalsOf).map(({ name, answer }) => [name, answer])),
      schemas: namedSchemas(),
    },
  };
}

function pathsOf(routes: DocumentedRoute[]): OpenApi['paths'] {
  const paths: OpenApi['paths'] = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  }
  return paths;
}

function operationOf(route: DocumentedRoute): Operation {
  const { operationId, tag, scope, summary, description, body } = route;
  const parameters = parametersOf(route);
  const answers = route.answers.map((answer) => [answer.status, answerOf(answer)]);
  const refusals = refusalsOf(route).map(({ status, name }) => [status, { $ref: `#/components/responses/${name}` }]);
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description ? { description } : {}),
    security: scope ? [{ bearer: [scope] }] : [],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: !z.core.safeParse(body.schema, {}).success,
            content: json(toJsonSchema(body.schema), body.example),
          },
        }
      : {}),
    responses: Object.fromEntries([...answers, ...refusals]),
  };
}

function parametersOf({ path, params, query, repeatable }: DocumentedRoute): (Parameter | Reference)[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const inPath = names.map((name): Parameter => {
    const parameter = params[name];
    if (!parameter) throw new Error(`nothing says what {${name}} of ${path} is`);
    const { schema, description } = parameter;
    return { name, in: 'path', required: true, description, schema: toJsonSchema(schema) };
  });
  const inQuery = Object.entries(query ? (toJsonSchema(query).properties ?? {}) : {}).map(
    ([name, { description = '', ...schema }]): Parameter => ({
      name,
      in: 'query',
      required: false,
      description,
      schema,
    }),
  );
  return [...inPath, ...inQuery, ...(repeatable ? [{ $ref: '#/components/parameters/Idempotency-Key' }] : [])];
}

function answerOf({ description, schema, type = 'text/html', headers = [], example }: AnswerDoc): Answer {
  const text = { [type]: { schema: { type: 'string' } } };
  return { description, ...headersOf(headers), content: schema ? json(toJsonSchema(schema), example) : text };
}

/** One answer for all problems of a status; routes with the same ones share it. */
function refusalsOf({ scope, problems, file }: DocumentedRoute): { status: string; name: string; answer: Answer }[] {
  if (file) return [];
  const codes = listProblems(scope, problems);
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status);
  return [...byStatus].map(([status, together]) => {
    const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
    const description = together.map((code) => `\`${code}\`: ${MEANINGS[code]}`).join(' ');
    const answer = { description, ...headersOf(PROBLEM_HEADERS[status] ?? []), content };
    return { status: String(status), name: nameOf(together), answer };
  });
}

const nameOf = (codes: ProblemCode[]) => codes.join('.');

function headersOf(names: string[]): Pick<Answer, 'headers'> {
  if (names.length === 0) return {};
  return { headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) };
}

function json(schema: Answer['content'][string]['schema'], example: unknown): Answer['content'] {
  return { 'application/json': { schema, ...(example === undefined ? {} : { example }) } };
}
