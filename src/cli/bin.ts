#!/usr/bin/env node
/** Runs the command line. The published package has it as it is, built; in the repository sluice.js stands before it. */
import process from 'node:process';
import { main } from './main.ts';

await main(process.argv.slice(2));
