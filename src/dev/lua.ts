/** The scripts as they are deployed: without comments and indentation, which are a third of them. */
export function withoutComments(source: string): string {
  return source
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('--'))
    .join('\n');
}
