/** What a Worker threw as it was loaded, most often for a definition that is wrong: the sentence, and where it stands. */
import type { Bundle } from './bundle.ts';
import { positionsIn } from './positions.ts';

class LoadError extends Error {
  override readonly name = 'LoadError';
}

/** Miniflare says that its runtime did not start, and somewhere in what the runtime logged stands why. */
export function loadError(error: unknown, bundle: Bundle): unknown {
  const text = error instanceof Error ? error.message : '';
  const uncaught = /Uncaught (?:\w*Error: )?(.*)/s.exec(text.split('\n').map(messageIn).join('\n'));
  if (!uncaught) return error;
  const [sentence = '', ...frames] = positionsIn(bundle)(uncaught[1] ?? '').split(/\n\s+at /);
  const place = placeOf(sentence, frames, bundle);
  return new LoadError(place === undefined ? sentence : `${sentence} (${place})`);
}

/** The runtime logs lines of JSON. */
function messageIn(line: string): string {
  try {
    return String(JSON.parse(line).message ?? '');
  } catch {
    return line;
  }
}

/**
 * The first frame in code that is not Sluice's own. Where that is the Worker's main file, which only puts the parts together,
 * the file that has what the sentence names is more to the point.
 */
function placeOf(sentence: string, frames: string[], { sourceMap = '{}' }: Bundle): string | undefined {
  const { sources = [], sourcesContent = [] } = JSON.parse(sourceMap);
  const isOwn = (path: string) => !/^(src|node_modules)\//.test(path);
  const isMain = (path: string) => /^functions\/worker\.ts/.test(path);
  const own = frames.map((frame) => frame.split(' ')[0]).find((at) => at && isOwn(at));
  if (own && !isMain(own)) return own;
  const words = (sentence.match(/[\w.-]+/g) ?? []).map((word) => `'${word}'`);
  const fileWith = (word: string) =>
    sources.find((path: string, i: number) => isOwn(path) && !isMain(path) && sourcesContent[i]?.includes(word));
  return words.map(fileWith).find((file) => file !== undefined) ?? own;
}
