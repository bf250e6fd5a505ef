/** Zod schemas as JSON Schema: what may come in, before defaults and conversions. */
import * as z from 'zod/mini';
import { components, forms, meanings, names } from './describe.ts';
import type { JsonSchema } from './document.ts';

type SchemaOverride = NonNullable<NonNullable<Parameters<typeof z.toJSONSchema>[1]>['override']>;

const override: SchemaOverride = ({ zodSchema, jsonSchema }) => {
  // Every whole number gets the bounds of a safe integer: they tell nobody anything.
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  Object.assign(jsonSchema, forms.get(zodSchema));
};

const pointer = (id: string) => `#/components/schemas/${id}`;
const OPTIONS = { io: 'input', metadata: names, override } as const;

/** All named schemas, each once; they refer to each other. */
export function namedSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(names, { ...OPTIONS, uri: pointer });
  return Object.fromEntries(
    [...components].map(([id, schema]) => [id, explained(schema, schemas[id] as GeneratedSchema)]),
  );
}

/** One schema in its place: a reference where it has a name. */
export function toJsonSchema(schema: z.core.$ZodType): JsonSchema {
  const id = names.get(schema)?.id;
  return id ? { $ref: pointer(id) } : explained(schema, z.toJSONSchema(schema, OPTIONS));
}

type GeneratedSchema = z.core.JSONSchema.BaseSchema;

/** With what its fields mean, and without what says that it is a document of its own. */
function explained(schema: z.core.$ZodType, { $schema: _, $id: __, id: ___, ...rest }: GeneratedSchema): JsonSchema {
  const json = JSON.parse(JSON.stringify(rest), withoutTwins) as JsonSchema; // a copy: one object may serve two fields
  for (const [field, description] of Object.entries(meanings.get(schema) ?? {})) {
    json.properties = { ...json.properties, [field]: { ...json.properties?.[field], description } };
  }
  return json;
}

/** Beside a form of ours, what the generator had found stands too: "number or string", without a word which. */
function withoutTwins(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('oneOf' in value && 'type' in value)) return value;
  const { type: __, ...rest } = value;
  return rest;
}
