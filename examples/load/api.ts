/** The API as the demo's load calls it. */

/** @returns the answer; undefined where there is none, or a refusal: the load goes on */
export type Api = (method: string, path: string, body?: unknown) => Promise<unknown>;

export function apiOf(url: string, token: string): Api {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(url + path, { method, headers, ...sent }).catch(() => undefined);
    return answer?.ok ? answer.json() : answer?.body?.cancel();
  };
}
