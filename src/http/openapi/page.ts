/** The reference page: an OpenAPI document as HTML, without scripts. Whatever comes from the document is escaped. */
import type { Answer, JsonSchema, Media, OpenApi, Operation, Parameter, Reference } from './document.ts';

/** HTML that may stand as it is: only `html` makes it. */
interface Markup {
  readonly markup: string;
}

type Part = Markup | string | number | Part[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(part: Part): string {
  if (Array.isArray(part)) return part.map(escaped).join('');
  if (typeof part === 'object') return part.markup;
  return String(part).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** Everything that is put in is escaped, but for what another `html` made. */
function html(texts: TemplateStringsArray, ...parts: Part[]): Markup {
  return { markup: texts.map((text, i) => text + (i < parts.length ? escaped(parts[i] as Part) : '')).join('') };
}

/** @param style the stylesheet, which the Content-Security-Policy names by its digest */
export function renderPage(document: OpenApi, style: string): string {
  const { info, tags, paths, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const page = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${info.title} API</title>
<style>${{ markup: style }}</style>
<main>
<h1>${info.title} API <small>${info.version}</small></h1>
${info.description.split('\n\n').map((text) => html`<p>${text}</p>`)}
<p><a href="openapi.json">openapi.json</a></p>
${tags.map(
  ({ name, description }) => html`<h2>${name}</h2><p>${prose(description)}</p>
${operations
  .filter(({ operation }) => operation.tags.includes(name))
  .map(({ path, method, operation }) => callOf(document, method, path, operation))}`,
)}
<h2>schemas</h2>
${Object.entries(components.schemas).map(
  ([name, schema]) => html`<section id="${name}"><h3>${name}</h3>${fieldsOf(schema)}</section>`,
)}
</main>
</html>
`;
  return page.markup;
}

function callOf(document: OpenApi, method: string, path: string, operation: Operation): Markup {
  const { operationId, summary, description = '', security, parameters = [], requestBody, responses } = operation;
  const scope = security[0]?.bearer?.[0];
  return html`<details id="${operationId}"><summary><b class="${method}">${method.toUpperCase()}</b> <code>${path}</code> <span>${summary}</span></summary>
<p>${scope ? html`Scope <code>${scope}</code>.` : 'Open to everybody.'} ${prose(description)}</p>
${parameters.length > 0 ? listOf(parameters.map((parameter) => parameterOf(document, parameter))) : ''}
${requestBody ? html`<h4>Request</h4>${mediaOf(requestBody.content)}` : ''}
${Object.entries(responses).map(([status, response]) => answerOf(document, status, response))}
</details>`;
}

function parameterOf({ components }: OpenApi, given: Parameter | Reference): Markup {
  const parameter = '$ref' in given ? components.parameters[lastOf(given.$ref)] : given;
  if (!parameter) return html``;
  return fieldOf(
    parameter.name,
    parameter.schema,
    parameter.required,
    `In the ${parameter.in}. ${parameter.description}`,
  );
}

function answerOf({ components }: OpenApi, status: string, given: Answer | Reference): Markup {
  if (!('$ref' in given)) return html`<h4>${status}</h4><p>${prose(given.description)}</p>${mediaOf(given.content)}`;
  const answer = components.responses[lastOf(given.$ref)];
  return html`<p class="problem"><b>${status}</b> ${prose(answer?.description ?? '')}</p>`;
}

function mediaOf(content: Record<string, Media>): Markup[] {
  return Object.entries(content).map(([type, { schema, example }]) => {
    const shown = example === undefined ? '' : html`<pre tabindex="0">${JSON.stringify(example, null, 2)}</pre>`;
    return html`<p><code>${type}</code> ${typeOf(schema)}</p>${shown}`;
  });
}

function fieldsOf(schema: JsonSchema): Markup {
  const { properties, required = [], anyOf } = schema;
  if (anyOf) return html`${anyOf.map((one, i) => html`${i > 0 ? html`<p>or</p>` : ''}${fieldsOf(one)}`)}`;
  if (!properties) return html`<p>${typeOf(schema)}</p>`;
  return listOf(
    Object.entries(properties).map(([name, field]) => fieldOf(name, field, required.includes(name), field.description)),
  );
}

const listOf = (fields: Markup[]): Markup => html`<dl>${fields}</dl>`;

function fieldOf(name: string, schema: JsonSchema, required: boolean, description = ''): Markup {
  const standard = schema.default === undefined ? '' : html` = <code>${JSON.stringify(schema.default)}</code>`;
  return html`<div><dt><code>${name}</code>${required ? '' : '?'} <i>${typeOf(schema)}${standard}</i></dt><dd>${prose(description)}</dd></div>`;
}

/** A schema in a few words. */
function typeOf(schema: JsonSchema): Markup {
  const { $ref, anyOf, oneOf = anyOf, enum: values, items, type, additionalProperties } = schema;
  if ($ref) return html`<a href="#${lastOf($ref)}">${lastOf($ref)}</a>`;
  if (oneOf) return html`${oneOf.map((one, i) => [i > 0 ? ' or ' : '', typeOf(one)])}`;
  if (values) return html`${values.map((value) => JSON.stringify(value)).join(' | ')}`;
  if (items) return html`list of ${typeOf(items)}${boundsOf(schema.minItems, schema.maxItems)}`;
  if (typeof additionalProperties === 'object') return html`object of ${typeOf(additionalProperties)}`;
  if (schema.const !== undefined) return html`${JSON.stringify(schema.const)}`;
  const bounds = boundsOf(schema.minimum ?? schema.minLength, schema.maximum ?? schema.maxLength);
  return html`${String(type ?? 'any')}${schema.format ? ` (${schema.format})` : ''}${bounds}`;
}

function boundsOf(least: number | undefined, most: number | undefined): string {
  if (most !== undefined) return `, ${least ?? 0} to ${most}`;
  return least ? `, from ${least}` : '';
}

const lastOf = (pointer: string): string => pointer.slice(pointer.lastIndexOf('/') + 1);

/** Text with `code` in it. */
function prose(text: string): Part[] {
  return text.split('`').map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part));
}
