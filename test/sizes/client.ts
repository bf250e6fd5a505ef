// What a program elsewhere puts in and consumes with. It knows the deployment's queues by their types, so nothing of them is bundled.
import { createClient } from 'sluice/client';
import type { queues } from '../../functions/queues/index.ts';

export const client = createClient<typeof queues>({ url: 'https://sluice.example.com', token: '-' });
