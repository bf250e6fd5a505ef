/** What became of an action, told at the edge of the page and to screen readers. */
import { useState } from 'hono/jsx/dom';
import { explain } from '../api.ts';
import { useEffect } from '../effect.ts';

interface Notice {
  text: string;
  failed: boolean;
}

const SHOWN_MS = 6_000;

let show: (notice: Notice) => void = () => {};

/** Does what was asked for, and says how it went. @returns whether it went well */
export async function act(work: () => Promise<string>): Promise<boolean> {
  try {
    show({ text: await work(), failed: false });
    return true;
  } catch (error) {
    show({ text: explain(error), failed: true });
    return false;
  }
}

export function Notices() {
  const [notice, setNotice] = useState<Notice | null>(null);
  show = setNotice;
  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(() => setNotice(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  return (
    <div class="notices" role="status" aria-live="polite">
      {notice ? <p class={notice.failed ? 'notice failed' : 'notice'}>{notice.text}</p> : null}
    </div>
  );
}
