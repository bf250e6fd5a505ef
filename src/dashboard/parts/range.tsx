/** The time that figures are shown of: the last hour, or a day. */
import { linkTo } from '../route.ts';

export type Range = '1h' | '24h';
export const rangeOf = (text: string | undefined): Range => (text === '24h' ? '24h' : '1h');

const NAMES: Record<Range, string> = { '1h': '1 hour', '24h': '24 hours' };

/** @param query what else the page's address has */
export function RangeChoice({ page, query, range }: { page: string[]; query?: Record<string, string>; range: Range }) {
  return (
    <fieldset class="choice">
      <legend class="hidden">Time shown</legend>
      {(['1h', '24h'] as const).map((choice) => (
        <a
          key={choice}
          href={linkTo(page, { ...query, range: choice })}
          aria-current={choice === range ? 'true' : undefined}
        >
          {NAMES[choice]}
        </a>
      ))}
    </fieldset>
  );
}
