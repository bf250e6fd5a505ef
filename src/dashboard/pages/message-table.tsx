/** Messages as rows. What they carry is shown as text, and never as markup. */
import type { Child } from 'hono/jsx';
import type { MessageReport } from '../../client/admin.ts';
import { preview } from '../format.ts';
import { NumberHeadings } from '../parts/headings.tsx';
import { linkTo } from '../route.ts';

interface RowProps {
  /** The title of the instant that matters in this state. */
  when: string;
  at(message: MessageReport): Child;
  /** With it each row can be selected. */
  selected?: Set<string>;
  onSelect?(ids: string[], selected: boolean): void;
}

export function MessageTable({ messages, ...props }: RowProps & { messages: MessageReport[] }) {
  const { when, selected, onSelect } = props;
  const ids = messages.map(({ id }) => id);
  const all = selected !== undefined && ids.every((id) => selected.has(id));
  return (
    <div class="card table">
      <table>
        <thead>
          <tr>
            {selected ? (
              <th scope="col" class="pick">
                <Pick label="Select all on this page" picked={all} onPick={() => onSelect?.(ids, !all)} />
              </th>
            ) : null}
            <th scope="col">Message</th>
            <NumberHeadings of={['Priority', 'Attempt']} />
            <th scope="col">{when}</th>
            <th scope="col">Body</th>
          </tr>
        </thead>
        <tbody>
          {messages.map((message) => (
            <MessageRow key={message.id} message={message} {...props} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Pick({ label, picked, onPick }: { label: string; picked: boolean; onPick(): void }) {
  return <input type="checkbox" aria-label={label} checked={picked} onChange={onPick} />;
}

function MessageRow({ message, when, at, selected, onSelect }: RowProps & { message: MessageReport }) {
  const { id, group, priority, attempt, maxAttempts, unreadable, body, failures } = message;
  const picked = selected?.has(id) ?? false;
  return (
    <tr>
      {selected ? (
        <td class="pick">
          <Pick label={`Select ${id}`} picked={picked} onPick={() => onSelect?.([id], !picked)} />
        </td>
      ) : null}
      <th scope="row">
        <a class="id" href={linkTo(['messages', id])}>
          {id}
        </a>
        {group === undefined ? null : <small>group {group}</small>}
      </th>
      <td data-label="Priority" class="number">
        {priority ?? '–'}
      </td>
      <td data-label="Attempt" class="number">
        {attempt ?? '–'}
        {maxAttempts === undefined ? '' : ` of ${maxAttempts}`}
      </td>
      <td data-label={when}>{at(message)}</td>
      <td data-label="Body" class="body">
        <code>{unreadable ? 'cannot be read' : preview(body)}</code>
        {failures.length > 0 ? <small class="error">{lastOf(message)}</small> : null}
      </td>
    </tr>
  );
}

function lastOf({ failures }: MessageReport): string {
  const last = failures.at(-1);
  return last ? `${last.kind}: ${last.text}` : '';
}
