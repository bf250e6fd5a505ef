/** Rings: circular lists that clients rotate. */
import { api } from '../api.ts';
import { count } from '../format.ts';
import { useLive } from '../live.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { linkTo } from '../route.ts';

export function Rings() {
  const pages = usePages('rings');
  const { cursor: from } = pages;
  const live = useLive(`rings ${from}`, (signal) => api.rings.list({ cursor: from }, { signal }));
  return (
    <>
      <h1>Rings</h1>
      <Loaded
        of={live}
        part="rings"
        show={({ rings, cursor }) => (
          <>
            {rings.length === 0 ? <Empty title="There are no rings" /> : null}
            {rings.length > 0 ? (
              <ul class="card bars">
                {rings.map(({ ring, length }) => (
                  <li key={ring}>
                    <a href={linkTo(['rings', ring])}>{ring}</a>
                    <span class="number">
                      {count(length)} <span class="dim">{length === 1 ? 'item' : 'items'}</span>
                    </span>
                  </li>
                ))}
              </ul>
            ) : null}
            <Pager pages={pages} cursor={cursor} />
          </>
        )}
      />
    </>
  );
}

export function RingPage({ ring }: { ring: string }) {
  const pages = usePages(ring);
  const { cursor: from } = pages;
  const live = useLive(`ring ${ring} ${from}`, (signal) => api.rings.get(ring, { cursor: from }, { signal }));
  return (
    <>
      <p class="crumbs">
        <a href="#/rings">Rings</a>
      </p>
      <h1>{ring}</h1>
      <Loaded
        of={live}
        part="such ring"
        show={({ length, items, cursor }) => (
          <section class="card">
            <h2>{count(length)} items, the next to come first</h2>
            <ol class="items">
              {items.map((item) => (
                <li key={item}>
                  <code>{item}</code>
                </li>
              ))}
            </ol>
            <Pager pages={pages} cursor={cursor} />
          </section>
        )}
      />
    </>
  );
}
