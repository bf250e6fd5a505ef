/** What is used of Next.js, which only a project on it has. */
declare module 'next/server.js' {
  /** Since 15.1. */
  export const after: ((task: Promise<unknown>) => void) | undefined;
}
