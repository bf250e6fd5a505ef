/** Forth and back through pages that only know the next: the cursors of those before are kept. */
import { useState } from 'hono/jsx/dom';

export interface Pages {
  /** Undefined at the first page. */
  cursor: string | undefined;
  number: number;
  next(cursor: string): void;
  back(): void;
}

/** @param key what is paged: with another one it begins again */
export function usePages(key: string): Pages {
  const [state, setState] = useState<{ key: string; cursors: (string | undefined)[] }>({ key, cursors: [undefined] });
  const cursors = state.key === key ? state.cursors : [undefined];
  return {
    cursor: cursors.at(-1),
    number: cursors.length,
    next: (cursor) => setState({ key, cursors: [...cursors, cursor] }),
    back: () => setState({ key, cursors: cursors.length > 1 ? cursors.slice(0, -1) : cursors }),
  };
}

export function Pager({ pages, cursor }: { pages: Pages; cursor: string | undefined }) {
  if (pages.number === 1 && cursor === undefined) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" disabled={pages.number === 1} onClick={pages.back}>
        Previous
      </button>
      <span>Page {pages.number}</span>
      <button
        type="button"
        disabled={cursor === undefined}
        onClick={() => {
          if (cursor !== undefined) pages.next(cursor);
        }}
      >
        Next
      </button>
    </nav>
  );
}
