/** A route joined with what is said of it. What one of the two lacks, or a handler answers otherwise, does not compile. */
import * as z from 'zod/mini';
import type { Scope } from '../../config/config.ts';
import type { ProblemCode } from '../problem.ts';
import type { Route } from '../route.ts';
import { describeFields, nameSchemas } from './describe.ts';
import type { AnswerDoc, Operation, Operations, Schema, SchemaDoc, TAGS } from './operation.ts';

/** A route as the document has it. */
export interface DocumentedRoute {
  method: 'get' | 'options' | 'post' | 'put' | 'patch' | 'delete';
  /** With `{parameters}`. */
  path: string;
  operationId: string;
  tag: keyof typeof TAGS;
  /** A static file: it is answered without the Worker. */
  file?: true;
  /** Left out: open to everybody. */
  scope?: Scope;
  summary: string;
  description?: string;
  params: Record<string, Parameter>;
  query?: Schema;
  body?: { schema: Schema; example: object };
  repeatable?: true;
  answers: readonly AnswerDoc[];
  problems: readonly ProblemCode[];
}

/** What stands in a path. */
interface Parameter {
  schema: Schema;
  description: string;
}

/** The names under which a file exports routes. */
type RouteNames<Module> = { [Name in keyof Module]: Module[Name] extends Route ? Name : never }[keyof Module];

type RouteAnswer<Value> = Value extends Route<infer Answer> ? Exclude<Answer, Response> : never;
type DocumentedAnswer<Text extends Operation> = Text['answers'][number] extends infer One
  ? One extends { schema: infer Of extends Schema }
    ? z.output<Of>
    : never
  : never;

/** The text of each route; of one that answers what its text does not say, what it answers. */
type Texts<Module, Said extends Operations> = {
  [Name in RouteNames<Module>]: Name extends keyof Said
    ? [RouteAnswer<Module[Name]>] extends [DocumentedAnswer<Said[Name]>]
      ? Said[Name]
      : { answers: RouteAnswer<Module[Name]> }
    : Operation;
};

interface Resource {
  params?: Record<string, RegExp>;
  [exported: string]: unknown;
}

/** @param said the `.doc.ts` beside the file that has the routes */
export function resource<Module extends Resource, Said extends Operations>(
  module: Module,
  said: { params?: Record<string, string>; answers: Record<string, Schema>; operations: Said & Texts<Module, Said> },
): DocumentedRoute[] {
  nameSchemas(said.answers);
  const params = Object.entries(module.params ?? {}).map(([name, form]) => {
    const description = said.params?.[name];
    if (description === undefined) throw new Error(`nothing says what {${name}} is`);
    return [name, { schema: z.string().check(z.regex(form)), description }] as const;
  });
  return Object.entries<Operation>(said.operations).map(([name, operation]) =>
    documented(name, module[name] as Route, operation, Object.fromEntries(params)),
  );
}

function documented(
  name: string,
  { method, path, scope, query, body: judged }: Route,
  { operationId = name, query: fields = {}, body, ...said }: Operation,
  params: DocumentedRoute['params'],
): DocumentedRoute {
  if (query) describePart(query, { fields });
  const schema = body?.schema ?? judged;
  if (body && typeof schema === 'object') describePart(schema, body);
  return {
    ...said,
    operationId,
    method: method.toLowerCase() as DocumentedRoute['method'],
    path: path.replace(/:(\w+)/g, '{$1}'),
    params,
    ...(scope && { scope }),
    ...(query && { query }),
    ...(body && typeof schema === 'object' && { body: { schema, example: body.example } }),
  };
}

function describePart(schema: Schema, { name, fields = {}, parts = {} }: SchemaDoc): void {
  if (name !== undefined) nameSchemas({ [name]: schema });
  const { shape = {} } = objectIn(schema) ?? {};
  describeFields(schema, shape, fields);
  for (const [field, part] of Object.entries(parts)) {
    const inner = objectIn(shape[field]);
    if (!inner) throw new Error(`there is no object in ${field} to describe`);
    describePart(inner, part);
  }
}

/** The object that a field is, may be, or is a list of. */
function objectIn(schema: Schema | undefined): (Schema & { shape: z.core.$ZodShape }) | undefined {
  const { def } = (schema as z.core.$ZodTypes | undefined)?._zod ?? {};
  if (!def || def.type === 'object') return schema as (Schema & { shape: z.core.$ZodShape }) | undefined;
  if ('innerType' in def) return objectIn(def.innerType);
  return 'element' in def ? objectIn(def.element) : undefined;
}
