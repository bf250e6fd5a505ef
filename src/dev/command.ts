/** What every command here does the same way: options, --help, and one line instead of a stack trace where it fails. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

export type Options = NonNullable<ParseArgsConfig['options']>;

type Flags<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>['values'];

export async function runCommand<T extends Options>(
  help: string,
  options: T,
  main: (flags: Flags<T>) => Promise<void>,
  failed = 1,
): Promise<void> {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
    if ((values as { help?: boolean }).help) console.log(help);
    else await main(values as Flags<T>);
  } catch (error) {
    console.error(`error: ${sentence(error)}`);
    process.exit(failed); // what was started ends with this process
  }
}

/** What went wrong, for a person. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** @throws RangeError that names the option */
export function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new RangeError(`--port must be 0 to 65535; got ${JSON.stringify(text)}`);
}
