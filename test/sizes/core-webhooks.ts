// The least Worker with one source of webhooks.
import { createSluice, defineQueue, defineSource } from 'sluice';
import { drain, enqueue, enqueueBatch, hooks, receive, settle, sweep } from 'sluice/functions';
import { github } from 'sluice/providers';

const mail = defineQueue('mail', { handler: () => {} });
const repository = defineSource('github', { provider: github, secret: 'GITHUB_SECRET', route: mail });

export default createSluice({
  queues: [mail],
  sources: [repository],
  functions: [enqueue, enqueueBatch, receive, settle, drain, sweep, hooks],
});
