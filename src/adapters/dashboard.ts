/**
 * The dashboard, the API's document and its page, outside Workers: there the platform serves these static files, elsewhere this does.
 *
 * They are six, and read into memory at the first request: nothing of a request is ever a path on the disk. Node's modules are
 * asked for by `getBuiltinModule`, so that no bundler of an edge runtime stumbles over them.
 */
import { type Bytes, toHex, utf8 } from '../formats/bytes.ts';

/** By the path that asks for it: the file, and what it is. */
const FILES: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/dashboard.js': ['dashboard.js', 'text/javascript; charset=utf-8'],
  '/dashboard.css': ['dashboard.css', 'text/css; charset=utf-8'],
  '/dashboard.svg': ['dashboard.svg', 'image/svg+xml'],
  '/docs': ['docs.html', 'text/html; charset=utf-8'],
  '/openapi.json': ['openapi.json', 'application/json'],
};
/** What the build writes for the platform: the headers of each path. */
const RULES = '_headers';
/** The files lie in one of these below a folder of the package: the built one, or the repository. */
const FOLDERS = ['assets', 'dist/assets'];
/** So many folders above this module may be the package's own. */
const LEVELS = 3;

/** The part of `node:fs/promises` that is used: types of Node are not everywhere. */
interface FileSystem {
  readFile(path: URL, encoding: 'utf8'): Promise<string>;
}

interface Asset {
  bytes: Bytes;
  headers: Record<string, string>;
}

/**
 * Makes what answers requests for the dashboard at `/`, the API's document at `/openapi.json` and its page at `/docs`.
 * @param basePath where the application has Sluice, such as `/api/sluice`; requests come with it in their URL
 * @returns a function that answers GET and HEAD of these files, and gives undefined for all else, also where the files cannot be
 *   read, as in a bundle that has left them behind. It never throws
 * @example
 * const dashboard = serveDashboard();
 * const answer = (await dashboard(request)) ?? (await sluice.fetch(request));
 */
export function serveDashboard(basePath = ''): (request: Request) => Promise<Response | undefined> {
  const base = basePath.replace(/\/+$/, '');
  let reading: Promise<Map<string, Asset>> | undefined;
  return async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const path = pathBelow(base, new URL(request.url).pathname);
    if (path === undefined || !Object.hasOwn(FILES, path)) return undefined;
    reading ??= readAssets(base).catch(() => new Map());
    const asset = (await reading).get(path);
    return asset && answer(request, asset);
  };
}

function pathBelow(base: string, path: string): string | undefined {
  if (path === base) return '/';
  return path.startsWith(`${base}/`) ? path.slice(base.length) : undefined;
}

function answer({ method, headers: asked }: Request, { bytes, headers }: Asset): Response {
  const known = (asked.get('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known.includes(headers.etag ?? '')) return new Response(null, { status: 304, headers });
  const length = { 'content-length': String(bytes.length) };
  return new Response(method === 'HEAD' ? null : bytes, { headers: { ...headers, ...length } });
}

/** @throws Error where the runtime has no file system, or the files are in none of the folders */
async function readAssets(base: string): Promise<Map<string, Asset>> {
  const texts = await readFiles();
  const rules = texts.get(RULES) ?? '';
  const assets = Object.entries(FILES).map(async ([path, [name, type]]): Promise<[string, Asset]> => {
    const bytes = utf8(placed(texts.get(name) ?? '', base));
    const etag = `"${toHex(await crypto.subtle.digest('SHA-256', bytes)).slice(0, 32)}"`;
    return [path, { bytes, headers: { ...headersOf(path, rules), 'content-type': type, etag } }];
  });
  return new Map(await Promise.all(assets));
}

/** What the page loads, and what the document calls its server, are below the base: a page at the base itself has no slash behind it. */
function placed(text: string, base: string): string {
  return text.replaceAll('="./', `="${base}/`).replace('"servers":[{"url":"/"', `"servers":[{"url":"${base || '/'}"`);
}

/** Reads all of them, or throws: another application has an `assets` folder, too. */
async function readFiles(): Promise<Map<string, string>> {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const fs = process?.getBuiltinModule?.('node:fs/promises') as FileSystem | undefined;
  if (!fs) throw new Error('this runtime has no file system');
  const names = [RULES, ...Object.values(FILES).map(([name]) => name)];
  const read = (file: string) => fs.readFile(new URL(file), 'utf8');
  const readFrom = async (folder: string) =>
    new Map(await Promise.all(names.map(async (name): Promise<[string, string]> => [name, await read(folder + name)])));
  return Promise.any(foldersAbove((import.meta as unknown as { url: string }).url).map(readFrom));
}

function foldersAbove(url: string): string[] {
  const steps = url.split('/');
  return Array.from({ length: LEVELS }, (_, i) => steps.slice(0, -1 - i).join('/')).flatMap((above) =>
    FOLDERS.map((folder) => `${above}/${folder}/`),
  );
}

/** Reads the rules of Cloudflare's `_headers`: a path, below it what is set there and, after `!`, what is taken away again. */
function headersOf(path: string, rules: string): Record<string, string> {
  const headers: Record<string, string> = { 'cache-control': 'public, max-age=0, must-revalidate' };
  let isConcerned = false;
  for (const line of rules.split('\n')) {
    const [, removed, name, value = ''] = /^\s+(?:! (\S+)|([^:]+): (.*))$/.exec(line) ?? [];
    if (removed && isConcerned) delete headers[removed.toLowerCase()];
    else if (name && isConcerned) headers[name.toLowerCase()] = value;
    else if (/^\S/.test(line)) isConcerned = line === '/*' || line === path;
  }
  return headers;
}
