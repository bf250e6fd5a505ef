/** One message: what it carries, where it is, and what became of each attempt. */
import { useState } from 'hono/jsx/dom';
import { type MessageReport, SluiceError } from '../../client/admin.ts';
import { optionRows } from '../../message/options.doc.ts';
import { api } from '../api.ts';
import { duration, instant, pretty, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { confirmed } from '../parts/confirm.tsx';
import { StateBadge } from '../parts/depth.tsx';
import { act } from '../parts/notice.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { linkTo } from '../route.ts';
import { RawBody } from './raw-body.tsx';

export function MessagePage({ id }: { id: string }) {
  const live = useLive(`message ${id}`, async (signal) => {
    try {
      return await api.messages.get(id, { signal });
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'unknown_message') return null;
      throw error;
    }
  });
  return (
    <>
      <p class="crumbs">
        <a href="#/queues">Queues</a>
        {live.data?.queue ? <a href={linkTo(['queues', live.data.queue])}>{live.data.queue}</a> : null}
      </p>
      <h1 class="id">{id}</h1>
      <Loaded
        of={live}
        show={(message) =>
          message ? (
            <Message message={message} onChanged={live.reload} />
          ) : (
            <Empty title="There is no such message">
              It was never here, or it is done. A message whose queue keeps results can be found until these end.
            </Empty>
          )
        }
      />
    </>
  );
}

function Message({ message, onChanged }: { message: MessageReport; onChanged(): void }) {
  return (
    <>
      <Actions message={message} onChanged={onChanged} />
      <Facts message={message} />
      {message.unreadable ? (
        <p class="card">
          What is stored of this message cannot be read: it is damaged, or nested too deep to be shown.
        </p>
      ) : (
        <Body title="Body" value={message.body} />
      )}
      {message.raw ? <RawBody id={message.id} raw={message.raw} /> : null}
      {message.result === undefined ? null : <Body title="Result" value={message.result} />}
      <Headers headers={message.headers ?? {}} />
      <Attempts message={message} />
    </>
  );
}

const CANCELLED = ['done', 'cancelled'];

function Actions({ message: { id, queue, state }, onChanged }: { message: MessageReport; onChanged(): void }) {
  const cancel = async () => {
    const verb = state === 'dead' ? 'Delete' : 'Cancel';
    if (!(await confirmed(`${verb} this message?`, 'It is never given out again.', verb))) return;
    await act(async () => {
      const { was } = await api.messages.cancel(id);
      return was === 'leased' ? 'Cancelled. Whoever holds it may still finish.' : `Gone. It was ${was}.`;
    });
    onChanged();
  };
  const redrive = async () => {
    await act(async () => {
      await api.deadLetters.redrive(queue ?? '', { ids: [id] });
      return 'It is ready again, from its first attempt.';
    });
    onChanged();
  };
  return (
    <div class="actions">
      <StateBadge state={state} />
      {state === 'dead' ? (
        <button type="button" class="primary" onClick={redrive}>
          Redrive
        </button>
      ) : null}
      {CANCELLED.includes(state) ? null : (
        <button type="button" class="danger" onClick={cancel}>
          {state === 'dead' ? 'Delete' : 'Cancel'}
        </button>
      )}
    </div>
  );
}

/** How often the end of a lease is looked for: it is a page of messages each time. */
const LEASE_MS = 10_000;
const AT: Record<string, string> = { delayed: 'Due', leased: 'Lease ends', dead: 'Dead since', done: 'Done' };

function Facts({ message }: { message: MessageReport }) {
  const { queue, attempt, maxAttempts, enqueuedAt, state, method, destination } = message;
  const leaseEnd = useLeaseEnd(message);
  const at = message.at ?? leaseEnd;
  const facts: [string, string | undefined][] = [
    ['Queue', queue],
    ...optionRows<string | number>(message).map(([title, value]): [string, string | undefined] => [
      title,
      value?.toString(),
    ]),
    ['Destination', destination === undefined ? undefined : `${method ?? ''} ${destination}`],
    ['Attempt', attempt === undefined ? undefined : `${attempt}${maxAttempts ? ` of ${maxAttempts}` : ''}`],
    ['Enqueued', enqueuedAt === undefined ? undefined : `${instant(enqueuedAt)}, ${relative(enqueuedAt, Date.now())}`],
    [AT[state] ?? 'At', at === undefined ? undefined : `${instant(at)}, ${relative(at, Date.now())}`],
    ['From enqueue to end', ended(message)],
  ];
  return (
    <dl class="card facts">
      {facts
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A lease is not told with its message: its end stands in the first page of what is leased of its queue, if it is on that. */
function useLeaseEnd({ id, queue, state }: MessageReport): number | undefined {
  const { data } = useLive(
    `lease of ${state} ${id}`,
    async (signal) => {
      if (state !== 'leased' || queue === undefined) return undefined;
      const { messages } = await api.queues.messages(queue, { state, limit: 100 }, { signal });
      return messages.find((message) => message.id === id)?.at;
    },
    LEASE_MS,
  );
  return data;
}

function ended({ state, enqueuedAt, at }: MessageReport): string | undefined {
  if (state !== 'dead' && state !== 'done') return undefined;
  return enqueuedAt === undefined || at === undefined ? undefined : duration(at - enqueuedAt);
}

function Body({ title, value }: { title: string; value: unknown }) {
  const [oneLine, setOneLine] = useState(false);
  return (
    <section class="card">
      <div class="title">
        <h2>{title}</h2>
        <button type="button" class="quiet" aria-pressed={oneLine} onClick={() => setOneLine(!oneLine)}>
          {oneLine ? 'Pretty' : 'One line'}
        </button>
      </div>
      {value === undefined ? (
        <p class="dim">It cannot be read.</p>
      ) : (
        <pre tabindex={0}>{oneLine ? JSON.stringify(value) : pretty(value)}</pre>
      )}
    </section>
  );
}

function Headers({ headers }: { headers: Record<string, string> }) {
  const names = Object.keys(headers);
  if (names.length === 0) return null;
  return (
    <section class="card">
      <h2>Headers</h2>
      <dl class="pairs">
        {names.map((name) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{headers[name]}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Attempts({ message: { failures, enqueuedAt } }: { message: MessageReport }) {
  const gone = (failures[0]?.attempt ?? 1) - 1;
  return (
    <section class="card">
      <h2>Attempts that failed</h2>
      {failures.length === 0 ? <p class="dim">None so far.</p> : null}
      {gone > 0 ? (
        <p class="dim">
          {gone === 1 ? 'Attempt 1 is' : `Attempts 1 to ${gone} are`} no longer kept: only the last five failures are.
        </p>
      ) : null}
      <ol class="history">
        {failures.map(({ attempt, at, kind, text, stack }, i) => (
          <li key={`${attempt} ${at}`}>
            <b>
              Attempt {attempt} <span class={`badge ${kind}`}>{kind}</span>
            </b>
            <span class="dim">
              {instant(at)}, {duration(at - (failures[i - 1]?.at ?? enqueuedAt ?? at))} after{' '}
              {i === 0 ? 'the enqueue' : 'the one before'}
            </span>
            <code>{text}</code>
            {stack ? (
              <details>
                <summary>Stack</summary>
                <pre tabindex={0}>{stack}</pre>
              </details>
            ) : null}
          </li>
        ))}
      </ol>
    </section>
  );
}
