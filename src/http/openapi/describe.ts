/** What the document says about schemas that they do not say themselves: names, what fields mean, and forms behind refinements. */
import * as z from 'zod/mini';
import { DURATION_TEXT } from '../../formats/duration.ts';

type Schema = z.core.$ZodType;

/** A sentence; or a form too, where a refinement or a conversion hides it from the generator. A test tries the bounds. */
export type Note = string | { means?: string; form: object };

/** Schemas with a name are the document's components. */
export const names = z.registry<{ id: string }>();
export const components = new Map<string, Schema>();

/** JSON Schema in place of what the generator sees. */
export const forms = new Map<Schema, object>();

/** What the fields of an object mean. By object and field: one schema serves several fields. */
export const meanings = new Map<Schema, Record<string, string>>();

export function nameSchemas(schemas: Record<string, Schema>): void {
  for (const [id, schema] of Object.entries(schemas)) {
    if (components.get(id) === schema) continue;
    if (components.has(id)) throw new Error(`two schemas of the document have the name ${id}`);
    components.set(id, schema);
    names.add(schema, { id });
  }
}

/** A name that is no field of the object does not compile. */
export function describe<Shape extends z.core.$ZodShape>(
  object: Schema & { shape: Shape },
  fields: { [Name in keyof Shape]?: Note },
): void {
  describeFields(object, object.shape, fields);
}

/** @throws Error where a name is no field of the object */
export function describeFields(
  object: Schema,
  shape: z.core.$ZodShape,
  fields: Record<string, Note | undefined>,
): void {
  for (const [field, note] of Object.entries(fields)) {
    const schema = shape[field];
    if (!schema || note === undefined) throw new Error(`there is no field ${field} to describe`);
    const { means, form } = typeof note === 'string' ? { means: note } : note;
    if (means !== undefined) meanings.set(object, { ...meanings.get(object), [field]: means });
    if (form !== undefined) forms.set(schema, form);
  }
}

/** Numbers and texts side by side: no value is both, so exactly one fits. */
export function duration(leastMs: number, mostMs: number, standard?: string): object {
  return {
    oneOf: [
      { type: 'number', minimum: leastMs, maximum: mostMs, description: 'Milliseconds.' },
      { type: 'string', pattern: DURATION_TEXT, description: 'Such as "90s", "5m", "1h30m", between the same bounds.' },
    ],
    ...(standard ? { default: standard } : {}),
  };
}
