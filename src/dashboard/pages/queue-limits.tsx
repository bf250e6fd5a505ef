/** Limits of one queue, set over those of its definition. */
import { useState } from 'hono/jsx/dom';
import type { QueueReport } from '../../client/admin.ts';
import { api } from '../api.ts';
import { act } from '../parts/notice.tsx';

interface Changed {
  report: QueueReport;
  onChanged(): void;
}

export function LimitsEditor(props: Changed) {
  const [open, setOpen] = useState(false);
  if (open) return <LimitsForm {...props} onClosed={() => setOpen(false)} />;
  return (
    <button type="button" onClick={() => setOpen(true)}>
      Set limits
    </button>
  );
}

/** The fields begin with what operators set, and are then the reader's: the page's next look leaves them alone. */
function LimitsForm({ report: { queue, overrides }, onChanged, onClosed }: Changed & { onClosed(): void }) {
  const { concurrency, rate } = overrides;
  const [atOnce, setAtOnce] = useState(String(concurrency ?? ''));
  const [limit, setLimit] = useState(String(rate?.limit ?? ''));
  const [seconds, setSeconds] = useState(String((rate?.perMs ?? 60_000) / 1_000));
  const submit = async (event: Event) => {
    event.preventDefault();
    const set = {
      concurrency: atOnce === '' ? null : Number(atOnce),
      rate: limit === '' ? null : { limit: Number(limit), per: Math.round(Number(seconds) * 1_000) },
    };
    const done = await act(async () => {
      await api.queues.override(queue, set);
      return `The limits of ${queue} are set, also for what waits.`;
    });
    if (!done) return;
    onChanged();
    onClosed();
  };
  return (
    <form class="limits" onSubmit={submit}>
      <Field id="at-once" label="In flight at once" value={atOnce} onInput={setAtOnce} />
      <Field id="rate-limit" label="Messages in a period" value={limit} onInput={setLimit} />
      <Field id="rate-seconds" label="Period in seconds" value={seconds} least="0.1" onInput={setSeconds} />
      <p class="dim">Left empty, the queue's definition counts.</p>
      <div class="actions">
        <button type="submit" class="primary">
          Save limits
        </button>
        <button type="button" onClick={onClosed}>
          Leave them
        </button>
      </div>
    </form>
  );
}

interface FieldProps {
  id: string;
  label: string;
  value: string;
  least?: string;
  onInput(value: string): void;
}

function Field({ id, label, value, least = '1', onInput }: FieldProps) {
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="number"
        min={least}
        step={least}
        value={value}
        onInput={(event) => onInput((event.target as HTMLInputElement).value)}
      />
    </div>
  );
}
