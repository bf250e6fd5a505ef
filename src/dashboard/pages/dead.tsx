/** Dead letters: of which queues, and of one queue by letter or by cause. */
import { useState } from 'hono/jsx/dom';
import type { Cause, QueueReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { count, instant, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { messagesPage } from '../messages.ts';
import { Pager, usePages } from '../parts/pager.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { allQueues } from '../queues.ts';
import { linkTo } from '../route.ts';
import { deleteLetters, redriveLetters, redriveOldest } from './dead-actions.ts';
import { MessageTable } from './message-table.tsx';
import { confirmPurge } from './queue-actions.tsx';

export function Dead() {
  const live = useLive('dead', allQueues, 10_000);
  return (
    <>
      <h1>Dead letters</h1>
      <Loaded of={live} show={(queues) => <DeadQueues queues={queues.filter(({ dead }) => dead > 0)} />} />
    </>
  );
}

function DeadQueues({ queues }: { queues: QueueReport[] }) {
  if (queues.length === 0)
    return <Empty title="No message has died">What is tried in vain for the last time is kept here.</Empty>;
  return (
    <ul class="card bars">
      {queues
        .toSorted((a, b) => b.dead - a.dead)
        .slice(0, 100)
        .map(({ queue, dead }) => (
          <li key={queue}>
            <a href={linkTo(['dead', queue])}>{queue}</a>
            <span class="number">{count(dead)}</span>
            <a class="dim" href={linkTo(['dead', queue], { by: 'cause' })}>
              by cause<span class="hidden"> of {queue}</span>
            </a>
          </li>
        ))}
    </ul>
  );
}

export function DeadOfQueue({ queue, by }: { queue: string; by: string | undefined }) {
  return (
    <>
      <p class="crumbs">
        <a href="#/dead">Dead letters</a>
        <a href={linkTo(['queues', queue])}>{queue}</a>
      </p>
      <div class="title">
        <h1>Dead letters of {queue}</h1>
        <fieldset class="choice">
          <legend class="hidden">Order</legend>
          <a href={linkTo(['dead', queue])} aria-current={by === 'cause' ? undefined : 'true'}>
            One by one
          </a>
          <a href={linkTo(['dead', queue], { by: 'cause' })} aria-current={by === 'cause' ? 'true' : undefined}>
            By cause
          </a>
        </fieldset>
      </div>
      {by === 'cause' ? <ByCause queue={queue} /> : <Letters queue={queue} />}
    </>
  );
}

function Letters({ queue }: { queue: string }) {
  const pages = usePages(queue);
  const [selected, setSelected] = useState(new Set<string>());
  const { cursor: from } = pages;
  const live = useLive(`dead ${queue} ${from}`, (signal) => messagesPage(queue, 'dead', from, signal));
  const select = (ids: string[], on: boolean) => {
    const next = new Set(selected);
    for (const id of ids) on ? next.add(id) : next.delete(id);
    setSelected(next);
  };
  const done = (well: boolean) => {
    if (well) setSelected(new Set<string>());
    live.reload();
  };
  return (
    <Loaded
      of={live}
      show={({ messages, cursor }) => (
        <>
          <LetterActions queue={queue} selected={selected} onDone={done} />
          {messages.length === 0 ? (
            <Empty title="No dead letters here" />
          ) : (
            <MessageTable
              messages={messages}
              when="Dead since"
              at={({ at }) => <time title={instant(at)}>{relative(at, Date.now())}</time>}
              selected={selected}
              onSelect={select}
            />
          )}
          <Pager pages={pages} cursor={cursor} />
        </>
      )}
    />
  );
}

interface LetterActionsProps {
  queue: string;
  selected: Set<string>;
  /** Told whether it was done. */
  onDone(well: boolean): void;
}

function LetterActions({ queue, selected, onDone }: LetterActionsProps) {
  const after = (action: () => Promise<boolean>) => async () => onDone(await action());
  const none = selected.size === 0;
  return (
    <div class="actions bar">
      <span class="dim" aria-live="polite">
        {none ? 'Oldest first' : `${count(selected.size)} selected`}
      </span>
      <button type="button" class="primary" disabled={none} onClick={after(() => redriveLetters(queue, [...selected]))}>
        Redrive selected
      </button>
      <button type="button" class="danger" disabled={none} onClick={after(() => deleteLetters([...selected]))}>
        Delete selected
      </button>
      <button type="button" onClick={after(() => redriveOldest(queue))}>
        Redrive the oldest 1,000
      </button>
      <button type="button" class="danger" onClick={after(() => confirmPurge(queue, ['dead'], 'Every dead letter'))}>
        Delete all
      </button>
    </div>
  );
}

function ByCause({ queue }: { queue: string }) {
  const live = useLive(`causes ${queue}`, (signal) => api.deadLetters.causes(queue, { signal }), 10_000);
  return (
    <Loaded
      of={live}
      show={({ dead, looked, causes }) => (
        <>
          <p class="dim">
            {looked < dead
              ? `Of ${count(dead)} dead letters the newest ${count(looked)}.`
              : `All ${count(dead)} dead letters.`}{' '}
            Texts that differ in numbers and ids only are one cause.
          </p>
          {causes.length === 0 ? <Empty title="No dead letters here" /> : null}
          {causes.map((cause) => (
            <CauseCard key={`${cause.kind} ${cause.ids[0]}`} queue={queue} cause={cause} onChanged={live.reload} />
          ))}
        </>
      )}
    />
  );
}

function CauseCard({ queue, cause, onChanged }: { queue: string; cause: Cause; onChanged(): void }) {
  const { kind, text, ids, firstAt, lastAt } = cause;
  return (
    <section class="card cause">
      <div>
        <h2>
          {count(cause.count)} × <span class={`badge ${kind}`}>{kind || 'unknown'}</span>
        </h2>
        <code>{text || 'no text was kept'}</code>
        <p class="dim">
          The first {relative(firstAt, Date.now())}, the last {relative(lastAt, Date.now())}.{' '}
          {ids[0] ? <a href={linkTo(['messages', ids[0]])}>One of them</a> : null}
        </p>
      </div>
      <div class="actions">
        <button
          type="button"
          class="primary"
          onClick={async () => {
            await redriveLetters(queue, ids);
            onChanged();
          }}
        >
          Redrive these
        </button>
        <button
          type="button"
          class="danger"
          onClick={async () => {
            await deleteLetters(ids);
            onChanged();
          }}
        >
          Delete these
        </button>
      </div>
    </section>
  );
}
