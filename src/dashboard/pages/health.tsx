/** Health: whether storage can be trusted, and what the audit finds. */
import { useState } from 'hono/jsx/dom';
import { get } from '../api.ts';
import { count, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { confirmed } from '../parts/confirm.tsx';
import { act } from '../parts/notice.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import type { Findings, Health, Stats } from '../types.ts';

export function HealthPage() {
  const live = useLive('health', (signal) => get<Health>('/health', signal), 10_000);
  return (
    <>
      <h1>Health</h1>
      <Loaded
        of={live}
        show={({ status, warnings }) => (
          <section class="card">
            <h2>
              Storage <span class={`badge ${status}`}>{status}</span>
            </h2>
            {warnings.length === 0 ? <p>It answers, may be written, and keeps what it is given.</p> : null}
            <ul>
              {warnings.map((warning) => (
                <li key={warning}>{warning}</li>
              ))}
            </ul>
          </section>
        )}
      />
      <Cron />
      <Audit />
    </>
  );
}

/** Cron comes each minute, and a sweep that finds nothing to do is noted every ten: longer than this, and it does not run. */
const SWEPT_MS = 12.5 * 60_000;

/** Told by the statistics, where the deployment has them. */
function Cron() {
  const { data } = useLive('cron', (signal) => get<Stats>('/v1/stats?range=1h', signal), 10_000);
  if (!data) return null;
  const { now, lastSweepAt } = data;
  const runs = lastSweepAt !== undefined && now - lastSweepAt < SWEPT_MS;
  return (
    <section class="card">
      <h2>
        Cron <span class={`badge ${runs ? 'ok' : 'failed'}`}>{runs ? 'running' : 'late'}</span>
      </h2>
      <p>{lastSweepAt === undefined ? 'No sweep has run yet.' : `The last sweep was ${relative(lastSweepAt, now)}.`}</p>
      {runs ? null : <p>It sweeps and drains each minute where wrangler.toml has the trigger "* * * * *".</p>}
    </section>
  );
}

function Audit() {
  const [found, setFound] = useState<Findings['findings'] | null>(null);
  const [busy, setBusy] = useState(false);
  const audit = async (options: { deep?: 'true'; repair?: 'true' }) => {
    setBusy(true);
    await act(async () => {
      const { findings } = await get<Findings>(`/v1/audit?${new URLSearchParams(options)}`);
      setFound(findings);
      const what = findings.length === 1 ? '1 finding' : `${count(findings.length)} findings`;
      return options.repair ? `Audited: ${what}, mended where it could be.` : `Audited: ${what}.`;
    });
    setBusy(false);
  };
  const repair = async () => {
    const text =
      'What the audit finds is mended: lanes enter their index again, leases get their timers, what has no envelope dies.';
    if (await confirmed('Repair what is found?', text, 'Repair')) await audit({ repair: 'true' });
  };
  return (
    <section class="card">
      <h2>Audit</h2>
      <p>It looks through every key for what breaks an invariant. The sweep does so too, a page at a time.</p>
      <div class="actions">
        <button type="button" class="primary" disabled={busy} onClick={() => audit({})}>
          {busy ? 'Auditing' : 'Audit now'}
        </button>
        <button type="button" disabled={busy} onClick={() => audit({ deep: 'true' })}>
          Deep: each message too
        </button>
        <button type="button" disabled={busy} onClick={repair}>
          Audit and repair
        </button>
      </div>
      {found?.length === 0 ? <Empty title="Nothing is wrong" /> : null}
      <ul class="findings">
        {(found ?? []).slice(0, 200).map(({ finding, name }) => (
          <li key={`${finding} ${name}`}>
            <span class="badge failed">{finding}</span> <code>{name}</code>
          </li>
        ))}
      </ul>
      {(found?.length ?? 0) > 200 ? <p class="dim">The first 200 of {count(found?.length ?? 0)}.</p> : null}
    </section>
  );
}
