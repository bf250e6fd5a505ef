/** Health: whether storage can be trusted, and what the audit finds. */
import { useState } from 'hono/jsx/dom';
import { type Findings, readPages } from '../../client/admin.ts';
import { api } from '../api.ts';
import { isCronRunning } from '../cron.ts';
import { count, relative } from '../format.ts';
import { useLive } from '../live.ts';
import { confirmed } from '../parts/confirm.tsx';
import { act } from '../parts/notice.tsx';
import { Shards } from '../parts/shards.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { allQueues } from '../queues.ts';
import { linkTo } from '../route.ts';

export function HealthPage() {
  const live = useLive('health', (signal) => api.health({ signal }), 10_000);
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
      <Shards />
      <Cron />
      <Unknown />
      <Audit />
    </>
  );
}

/** Told by the statistics, where the deployment has them. */
function Cron() {
  const { data } = useLive('cron', (signal) => api.stats({ range: '1h' }, { signal }), 10_000);
  if (!data) return null;
  const { now, lastSweepAt } = data;
  const runs = isCronRunning(data);
  return (
    <section class="card">
      <h2>
        Cron <span class={`badge ${runs ? 'ok' : 'failed'}`}>{runs ? 'running' : 'late'}</span>
      </h2>
      <p>{lastSweepAt === undefined ? 'No sweep has run yet.' : `The last sweep was ${relative(lastSweepAt, now)}.`}</p>
      {runs ? null : (
        <p>
          It sweeps and drains each minute where wrangler.toml has the trigger "* * * * *". A new one takes up to 15
          minutes to spread.
        </p>
      )}
    </section>
  );
}

/** Queues with messages that left the code: nothing else on this page would say so. */
function Unknown() {
  const { data } = useLive('unknown', allQueues, 10_000);
  const unknown = (data ?? []).filter(({ kind }) => kind === 'unknown');
  if (unknown.length === 0) return null;
  return (
    <section class="card">
      <h2>
        Queues <span class="badge failed">not in the code</span>
      </h2>
      <p>Nobody gets what they hold. Deploy them again, or purge them.</p>
      <ul>
        {unknown.map(({ queue }) => (
          <li key={queue}>
            <a href={linkTo(['queues', queue])}>{queue}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** All of it: each call works for some seconds, and says where to go on. */
async function auditAll(options: {
  deep?: 'true';
  repair?: 'true';
}): Promise<Pick<Findings, 'findings'> & { incomplete: string[] }> {
  const findings: Findings['findings'] = [];
  const incomplete = new Set<string>();
  for await (const page of readPages((cursor) => api.audit({ ...options, cursor }))) {
    findings.push(...page.findings);
    for (const what of page.incomplete ?? []) incomplete.add(what);
  }
  return { findings, incomplete: [...incomplete] };
}

function Audit() {
  const [found, setFound] = useState<Findings['findings'] | null>(null);
  const [busy, setBusy] = useState(false);
  const audit = async (options: { deep?: 'true'; repair?: 'true' }) => {
    setBusy(true);
    await act(async () => {
      const { findings, incomplete } = await auditAll(options);
      setFound(findings);
      const what = findings.length === 1 ? '1 finding' : `${count(findings.length)} findings`;
      const rest = incomplete.length > 0 ? ` Too much is at work to judge ${incomplete.join(' and ')}.` : '';
      return options.repair ? `Audited: ${what}, mended where it could be.${rest}` : `Audited: ${what}.${rest}`;
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
        {(found ?? []).slice(0, 200).map(({ finding, name, messages }) => (
          <li key={`${finding} ${name}`}>
            <span class="badge failed">{finding}</span> <code>{name}</code>
            {messages === undefined ? null : ` with ${count(messages)} messages`}
          </li>
        ))}
      </ul>
      {(found?.length ?? 0) > 200 ? <p class="dim">The first 200 of {count(found?.length ?? 0)}.</p> : null}
    </section>
  );
}
