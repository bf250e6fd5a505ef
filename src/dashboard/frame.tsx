/** What stands around each page: where one can go, a search for a message, the theme, and the way out. */
import type { Child } from 'hono/jsx';
import { useState } from 'hono/jsx/dom';
import { BASE } from './base.ts';
import { useEffect } from './effect.ts';
import { linkTo } from './route.ts';
import { applyTheme, type Theme, theme } from './theme.ts';

const PLACES: [page: string, name: string][] = [
  ['', 'Overview'],
  ['queues', 'Queues'],
  ['dead', 'Dead letters'],
  ['work', 'Leases'],
  ['schedules', 'Schedules'],
  ['rings', 'Rings'],
  ['sources', 'Webhook sources'],
  ['destinations', 'Destinations'],
  ['health', 'Health'],
];

interface FrameProps {
  here: string;
  who: string;
  onSignOut(): void;
  children?: Child;
}

export function Frame({ here, who, onSignOut, children }: FrameProps) {
  useEffect(() => {
    const link = document.querySelector('.side nav [aria-current]');
    link?.scrollIntoView({ block: 'nearest', inline: 'center' }); // where the places are a row that does not fit
  }, [here]);
  const place = here === 'messages' ? 'queues' : here;
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the page
      </button>
      <header class="side">
        <a class="brand" href="#/">
          <img src={`${BASE}/dashboard.svg`} alt="" width="26" height="26" />
          Sluice
        </a>
        <MessageSearch />
        <nav aria-label="Pages of the dashboard">
          {PLACES.map(([page, name]) => (
            <a key={page} href={linkTo(page ? [page] : [])} aria-current={page === place ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <div class="foot">
          <ThemeChoice />
          <a href={`${BASE}/docs`}>API</a>
          <button type="button" class="quiet" onClick={onSignOut}>
            Sign out {who}
          </button>
        </div>
      </header>
      <main id="main" tabindex={-1}>
        {children}
      </main>
    </div>
  );
}

function MessageSearch() {
  const [id, setId] = useState('');
  const go = (event: Event) => {
    event.preventDefault();
    if (id.trim()) location.hash = linkTo(['messages', id.trim()]);
  };
  return (
    <form class="search" onSubmit={go}>
      <label class="hidden" htmlFor="message-id">
        Find a message by its id
      </label>
      <input
        id="message-id"
        type="search"
        placeholder="Message id"
        autocomplete="off"
        spellcheck={false}
        value={id}
        onInput={(event) => setId((event.target as HTMLInputElement).value)}
      />
    </form>
  );
}

function ThemeChoice() {
  const [chosen, setChosen] = useState<Theme>(theme());
  const choose = (event: Event) => {
    const next = (event.target as HTMLSelectElement).value as Theme;
    applyTheme(next);
    setChosen(next);
  };
  return (
    <label class="theme">
      <span class="hidden">Theme</span>
      <select value={chosen} onChange={choose}>
        <option value="auto">Theme: system</option>
        <option value="light">Theme: light</option>
        <option value="dark">Theme: dark</option>
      </select>
    </label>
  );
}
