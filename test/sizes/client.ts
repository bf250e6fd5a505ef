// What a program elsewhere puts in and consumes with.
import { createClient } from '../../src/client/index.ts';

export const client = createClient({ url: 'https://sluice.example.com', token: '-' });
