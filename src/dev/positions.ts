/** Positions in the bundle as those of the files that it was made of, for people who read stacks. */
import { SourceMap } from 'node:module';
import type { Bundle } from './bundle.ts';

/** @returns what turns each position of the bundle in a text, such as `worker.js:3127:11`, into `functions/queues/index.ts:12:9` */
export function positionsIn({ mainModule, sourceMap }: Bundle): (text: string) => string {
  if (sourceMap === undefined) return (text) => text;
  const position = new RegExp(`(?:file:///)?${mainModule.replaceAll('.', '\\.')}:(\\d+):(\\d+)`, 'g');
  let map: SourceMap | undefined; // large: read where there is something to look up
  return (text) =>
    text.replace(position, (shown, line, column) => {
      map ??= new SourceMap(JSON.parse(sourceMap));
      const origin = map.findOrigin(Number(line), Number(column));
      return 'fileName' in origin ? `${origin.fileName}:${origin.lineNumber}:${origin.columnNumber}` : shown;
    });
}
