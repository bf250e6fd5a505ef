/**
 * What a project's own configuration of wrangler lacks of what Sluice needs there, as lines that can be put in as they are.
 *
 * It is read by its lines and not by a parser of TOML, which nothing else here needs: what is written in some rare way, such as
 * with a key in quotes, counts as missing, so that at worst a line too much is named. The file itself is never touched.
 */

/** The text of each value, by its table, where '' is the top, and by its key. */
export type Tables = Map<string, Map<string, string>>;

const HEADING = /^\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}\s*$/;
const ENTRY = /^\s*((?:[\w-]+\.)*)([\w-]+)\s*=\s*(.*)$/;
const COMMENT = /("(?:\\.|[^"\\])*"|'[^']*')|#.*$/gm;

export function readToml(text: string): Tables {
  const tables: Tables = new Map([['', new Map()]]);
  let table = '';
  let last: { table: string; key: string } | undefined;
  for (const line of text.replaceAll(COMMENT, '$1').split(/\r?\n/)) {
    const heading = HEADING.exec(line)?.[1];
    const [, path = '', key, value = ''] = ENTRY.exec(line) ?? [];
    if (heading !== undefined) {
      table = heading;
      entriesIn(tables, table);
    } else if (key !== undefined) {
      last = { table: [table, path.slice(0, -1)].filter((part) => part !== '').join('.'), key };
      entriesIn(tables, last.table).set(key, value);
    } else if (last) {
      const entries = entriesIn(tables, last.table); // a value of several lines
      entries.set(last.key, `${entries.get(last.key)}${line.trim()}`);
    }
  }
  for (const [name, value] of tables.get('') ?? []) if (value.startsWith('{')) addInline(tables, name, value);
  return tables;
}

function entriesIn(tables: Tables, table: string): Map<string, string> {
  const entries = tables.get(table) ?? new Map<string, string>();
  tables.set(table, entries);
  return entries;
}

/** A table in one line: each of its keys is there, with what stands behind it. */
function addInline(tables: Tables, name: string, value: string): void {
  for (const [, key = '', rest = ''] of value.matchAll(/([\w-]+)\s*=\s*(.*?)(?=,\s*[\w-]+\s*=|\}\s*$)/g)) {
    entriesIn(tables, name).set(key, rest);
  }
}

const JSON_COMMENT = /("(?:\\.|[^"\\])*")|\/\/.*$|\/\*[\s\S]*?\*\//gm;
const LAST_COMMA = /("(?:\\.|[^"\\])*")|,(?=\s*[\]}])/g;

/** JSON with comments and commas behind the last. What is none lacks everything. */
export function readJsonc(text: string): Tables {
  const tables: Tables = new Map([['', new Map()]]);
  for (const [name, value] of Object.entries(parseOrEmpty(text))) {
    tables.get('')?.set(name, JSON.stringify(value));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue;
    tables.set(name, new Map(Object.entries(value).map(([key, inner]) => [key, JSON.stringify(inner)])));
  }
  return tables;
}

function parseOrEmpty(text: string): object {
  try {
    const parsed: unknown = JSON.parse(text.replaceAll(JSON_COMMENT, '$1').replaceAll(LAST_COMMA, '$1'));
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

/** What a Worker needs, whatever else it does. Its dashboard, its logs and its size are its own. */
const NEEDED: [table: string, key: string][] = [
  ['', 'main'],
  ['', 'compatibility_date'],
  ['', 'compatibility_flags'],
  ['', 'preview_urls'],
  ['triggers', 'crons'],
  ['vars', 'SLUICE_DRAIN_REQUESTS'],
];
/** And where it names its secrets, because then `wrangler dev` takes no others from .dev.vars. */
const NEEDED_WITH_SECRETS: typeof NEEDED = [
  ['secrets', 'required'],
  ['vars', 'SLUICE_DESTINATION_LOCAL'],
  ['vars', 'SLUICE_LOG_ERRORS'],
];

interface Lack {
  table: string;
  key: string;
  /** As JSON, which is TOML too: the value, or only what its list lacks. */
  value: string;
  place: 'new table' | 'in table' | 'in list';
}

/** @param wanted the template's own */
export function findLacks(present: Tables, wanted: Tables): Lack[] {
  const needed = present.has('secrets') ? [...NEEDED, ...NEEDED_WITH_SECRETS] : NEEDED;
  return needed.flatMap(([table, key]): Lack[] => {
    const value = wanted.get(table)?.get(key) ?? '';
    const there = present.get(table)?.get(key);
    if (there === undefined) return [{ table, key, value, place: present.has(table) ? 'in table' : 'new table' }];
    if (!value.startsWith('[')) return [];
    const items = (JSON.parse(value) as string[]).filter(
      (item) => !there.includes(`"${item}"`) && !there.includes(`'${item}'`),
    );
    if (items.length === 0) return [];
    return [{ table, key, value: items.map((item) => JSON.stringify(item)).join(', '), place: 'in list' }];
  });
}

/** @returns a fragment for each place, with a comment that says where it goes */
export function describeLacks(lacks: Lack[], language: 'toml' | 'json'): string {
  const describe = language === 'toml' ? describeInToml : describeInJson;
  const fragments = new Map<string, string[]>();
  for (const lack of lacks) {
    const [where, line] = describe(lack);
    fragments.set(where, [...(fragments.get(where) ?? []), line]);
  }
  const closing = (where: string) => (where.endsWith('": {') ? ['},'] : []);
  return [...fragments].map(([where, lines]) => [where, ...lines, ...closing(where), ''].join('\n')).join('\n');
}

function describeInToml({ table, key, value, place }: Lack): [where: string, line: string] {
  if (place === 'in list') return [`# in ${key}${table && ` under [${table}]`}, before what is there:`, `${value},`];
  if (table === '') return ['# at the top, before the first table:', `${key} = ${value}`];
  return [
    place === 'new table' ? `# at the end:\n[${table}]` : `# under [${table}], which is there:`,
    `${key} = ${value}`,
  ];
}

function describeInJson({ table, key, value, place }: Lack): [where: string, line: string] {
  if (place === 'in list') return [`// in "${key}"${table && ` of "${table}"`}, before what is there:`, `${value},`];
  if (place === 'new table') return [`// at the top, behind the first {:\n"${table}": {`, `  "${key}": ${value},`];
  return [
    table === '' ? '// at the top, behind the first {:' : `// in "${table}", which is there, behind its {:`,
    `"${key}": ${value},`,
  ];
}
