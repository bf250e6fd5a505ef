/** What a page shows while it has nothing to show: it loads, it failed, there is nothing, or the deployment has no such part. */
import type { Child } from 'hono/jsx';
import { SluiceError } from '../../client/admin.ts';
import { explain } from '../api.ts';
import type { Live } from '../live.ts';

export function Loading() {
  return (
    <div class="state" role="status">
      <span class="spinner" aria-hidden="true" />
      Loading
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: Child }) {
  return (
    <div class="state empty">
      <strong>{title}</strong>
      {children ? <p>{children}</p> : null}
    </div>
  );
}

interface LoadedProps<T> {
  of: Live<T>;
  /** What the deployment lacks where the API has no such path. */
  part?: string;
  show(data: T): Child;
}

/** What was loaded, or why it is not there. A later failure stands above what was loaded before it. */
export function Loaded<T>({ of: { data, error, reload }, part, show }: LoadedProps<T>) {
  if (error instanceof SluiceError && error.code === 'not_found' && part) {
    return <Empty title="Not in this deployment">{`This deployment has no ${part}.`}</Empty>;
  }
  const failed = error ? (
    <div class="state failed" role="alert">
      <strong>{data === undefined ? 'This could not be loaded' : 'This may be out of date'}</strong>
      <p>{explain(error)}</p>
      <button type="button" onClick={reload}>
        Try again
      </button>
    </div>
  ) : null;
  if (data === undefined) return failed ?? <Loading />;
  return (
    <>
      {failed}
      {show(data)}
    </>
  );
}
