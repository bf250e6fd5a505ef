/** Figures that stay fresh: asked for again and again while somebody looks, and not while the page is hidden. */
import { useCallback, useRef, useState } from 'hono/jsx/dom';
import { useEffect } from './effect.ts';

/** A page shows within 3 s what has changed. */
const LIVE_MS = 2_000;

export interface Live<T> {
  /** The last that came. It stays while a later call fails. */
  data: T | undefined;
  /** Of the last call, if it failed. */
  error: unknown;
  reload(): void;
}

/** @param key what is asked for: with another one the old figures go at once */
export function useLive<T>(key: string, load: (signal: AbortSignal) => Promise<T>, everyMs = LIVE_MS): Live<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: unknown }>({ key });
  const current = useRef(load);
  current.current = load;
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    let timer: number | undefined;
    const ask = async () => {
      if (!document.hidden) {
        try {
          const data = await (current.current as typeof load)(ended.signal);
          if (!ended.signal.aborted) setState({ key, data });
        } catch (error) {
          if (!ended.signal.aborted) setState((last) => ({ ...(last.key === key ? last : { key }), error }));
        }
      }
      if (!ended.signal.aborted) timer = setTimeout(ask, everyMs) as unknown as number;
    };
    const seen = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      void ask();
    };
    document.addEventListener('visibilitychange', seen);
    void ask();
    return () => {
      ended.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [key, everyMs, turn]);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  const fresh = state.key === key;
  return { data: fresh ? state.data : undefined, error: fresh ? state.error : undefined, reload };
}
