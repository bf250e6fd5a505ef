/** The exact bytes of a body, as they came in and are passed on: shown where they are text, and to be saved. */
import type { MessageReport } from '../../client/admin.ts';
import { rawBytes } from '../../message/raw.ts';
import { count } from '../format.ts';

type Raw = NonNullable<MessageReport['raw']>;

export function RawBody({ id, raw }: { id: string; raw: Raw }) {
  const { type, text, base64 = '' } = raw;
  const bytes = rawBytes(text === undefined ? { type, base64 } : { type, text });
  return (
    <section class="card">
      <div class="title">
        <h2>Raw body</h2>
        <button type="button" onClick={() => save(bytes, id)}>
          Download
        </button>
      </div>
      <p class="dim">
        The exact bytes that came in: <code>{type || 'no content type'}</code>, {count(bytes.length)} bytes.
      </p>
      {text === undefined ? <p>They are not text.</p> : <pre tabindex={0}>{text}</pre>}
    </section>
  );
}

/** By then the browser has begun to save it. */
const SAVED_MS = 10_000;

/** Never opened in the browser: what a stranger sent would run with the page's origin. */
function save(bytes: Uint8Array, name: string): void {
  const url = URL.createObjectURL(new Blob([bytes.slice()], { type: 'application/octet-stream' }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), SAVED_MS);
}
