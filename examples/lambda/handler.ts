/** The function: requests of its URL, and the schedule of EventBridge. template.yaml sets up both. */
import { serve } from 'sluice/lambda';
import { sluice } from './sluice.ts';

// After it has answered nothing runs on: so an enqueue is answered when its messages were worked on. With `wake: 'none'` it is
// answered at once, and the schedule works on them within a minute.
export const handler = serve(sluice, { wake: 'await' });
