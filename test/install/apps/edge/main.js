// A platform that gives a handler its context, as Netlify and others do: Deno's server stands for it.
import { toFetch } from 'sluice/edge';
import { sluice } from './sluice.js';

Deno.serve({ port: Number(Deno.env.get('PORT')), hostname: '127.0.0.1' }, toFetch(sluice));
