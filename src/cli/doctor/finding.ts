/** What the doctor finds: a line each, with what to do about it. */
export interface Finding {
  check: string;
  /** `skip`: it could not be looked at. */
  status: 'ok' | 'warn' | 'fail' | 'skip';
  found: string;
  todo?: string;
}

export type Status = Finding['status'];

export function finding(check: string, status: Status, found: string, todo?: string): Finding {
  return { check, status, found, ...(todo === undefined || status === 'ok' ? {} : { todo }) };
}
