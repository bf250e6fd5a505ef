// What a program elsewhere puts in and consumes with.
import { createClient } from 'sluice/client';

export const client = createClient({ url: 'https://sluice.example.com', token: '-' });
