/** Messages as rows. What they carry is shown as text, and never as markup. */
import type { Child } from 'hono/jsx';
import { preview } from '../format.ts';
import { linkTo } from '../route.ts';
import type { MessageReport } from '../types.ts';

interface MessageTableProps {
  messages: MessageReport[];
  /** The title of the instant that matters in this state. */
  when: string;
  at(message: MessageReport): Child;
  /** With it each row can be selected. */
  selected?: Set<string>;
  onSelect?(ids: string[], selected: boolean): void;
}

export function MessageTable({ messages, when, at, selected, onSelect }: MessageTableProps) {
  const all = selected !== undefined && messages.every(({ id }) => selected.has(id));
  return (
    <div class="card table">
      <table>
        <thead>
          <tr>
            {selected ? (
              <th scope="col" class="pick">
                <input
                  type="checkbox"
                  aria-label="Select all on this page"
                  checked={all}
                  onChange={() =>
                    onSelect?.(
                      messages.map(({ id }) => id),
                      !all,
                    )
                  }
                />
              </th>
            ) : null}
            <th scope="col">Message</th>
            <th scope="col" class="number">
              Priority
            </th>
            <th scope="col" class="number">
              Attempt
            </th>
            <th scope="col">{when}</th>
            <th scope="col">Body</th>
          </tr>
        </thead>
        <tbody>
          {messages.map((message) => (
            <tr key={message.id}>
              {selected ? (
                <td class="pick">
                  <input
                    type="checkbox"
                    aria-label={`Select ${message.id}`}
                    checked={selected.has(message.id)}
                    onChange={() => onSelect?.([message.id], !selected.has(message.id))}
                  />
                </td>
              ) : null}
              <th scope="row">
                <a class="id" href={linkTo(['messages', message.id])}>
                  {message.id}
                </a>
                {message.group === undefined ? null : <small>group {message.group}</small>}
              </th>
              <td data-label="Priority" class="number">
                {message.priority ?? '–'}
              </td>
              <td data-label="Attempt" class="number">
                {message.attempt ?? '–'}
                {message.maxAttempts === undefined ? '' : ` of ${message.maxAttempts}`}
              </td>
              <td data-label={when}>{at(message)}</td>
              <td data-label="Body" class="body">
                <code>{message.unreadable ? 'cannot be read' : preview(message.body)}</code>
                {message.failures.length > 0 ? <small class="error">{lastOf(message)}</small> : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function lastOf({ failures }: MessageReport): string {
  const last = failures.at(-1);
  return last ? `${last.kind}: ${last.text}` : '';
}
