// The Worker in front: it hands each request to an isolate of the limited one, a new one where that is wanted.
import type { Limits } from './limits.ts';
import { ID, ISOLATE, TICK } from './wire.ts';

interface Env {
  LOADER: WorkerLoader;
  /** JSON: WorkerLoaderWorkerCode. */
  CODE: string;
  ISOLATES: NonNullable<Limits['isolates']> | 'one';
  /** Answers when the invocation with the id in the path is over. */
  OVER: Fetcher;
}

let code: WorkerLoaderWorkerCode | undefined;

export default {
  fetch(given, { LOADER, CODE, ISOLATES, OVER }, context) {
    code ??= JSON.parse(CODE) as WorkerLoaderWorkerCode;
    const known = code;
    const isNew = ISOLATES === 'request' || (ISOLATES === 'tick' && new URL(given.url).pathname === TICK);
    const name = given.headers.get(ISOLATE) ?? (isNew ? null : 'one');
    if (name !== null)
      return LOADER.get(name, () => known)
        .getEntrypoint()
        .fetch(given);
    const request = new Request(given);
    const id = crypto.randomUUID();
    request.headers.set(ID, id);
    const isolate = LOADER.load(known).getEntrypoint();
    context.waitUntil(OVER.fetch(`http://platform/${id}`).then(() => isolate)); // it lives as long as it is held
    return isolate.fetch(request);
  },
} satisfies ExportedHandler<Env>;
