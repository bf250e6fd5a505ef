/** Every route of the API for its document: those of each resource, and the static files that describe them. */
import * as z from 'zod/mini';
import * as ofDeadLetters from '../v1/dead-letters.doc.ts';
import * as deadLetters from '../v1/dead-letters.ts';
import * as ofDestinations from '../v1/destinations.doc.ts';
import * as destinations from '../v1/destinations.ts';
import * as ofHooks from '../v1/hooks.doc.ts';
import * as hooks from '../v1/hooks.ts';
import * as ofLeases from '../v1/leases.doc.ts';
import * as leases from '../v1/leases.ts';
import * as ofMessages from '../v1/messages.doc.ts';
import * as messages from '../v1/messages.ts';
import * as ofMetrics from '../v1/metrics.doc.ts';
import * as metrics from '../v1/metrics.ts';
import * as ofQueues from '../v1/queues.doc.ts';
import * as queues from '../v1/queues.ts';
import * as ofRings from '../v1/rings.doc.ts';
import * as rings from '../v1/rings.ts';
import * as ofSchedules from '../v1/schedules.doc.ts';
import * as schedules from '../v1/schedules.ts';
import * as ofSession from '../v1/session.doc.ts';
import * as session from '../v1/session.ts';
import * as ofShards from '../v1/shards.doc.ts';
import * as shards from '../v1/shards.ts';
import * as ofSources from '../v1/sources.doc.ts';
import * as sources from '../v1/sources.ts';
import * as ofStats from '../v1/stats.doc.ts';
import * as stats from '../v1/stats.ts';
import * as ofSystem from '../v1/system.doc.ts';
import * as system from '../v1/system.ts';
import * as ofTopics from '../v1/topics.doc.ts';
import * as topics from '../v1/topics.ts';
import { nameSchemas } from './describe.ts';
import { type DocumentedRoute, resource } from './documented.ts';

/** This document: only what makes it one is stated. */
const Document = z.looseObject({ openapi: z.string() });
nameSchemas({ Document });

const FILES: DocumentedRoute[] = [
  {
    method: 'get',
    path: '/openapi.json',
    operationId: 'getDocument',
    file: true,
    tag: 'service',
    summary: 'This document',
    answers: [{ status: 200, description: 'OpenAPI 3.1.', schema: Document }],
    params: {},
    problems: [],
  },
  {
    method: 'get',
    path: '/docs',
    operationId: 'getReference',
    file: true,
    tag: 'service',
    summary: 'This document as a page to read',
    answers: [{ status: 200, description: 'HTML, without scripts.' }],
    params: {},
    problems: [],
  },
];

export const ROUTES: DocumentedRoute[] = [
  ...resource(messages, ofMessages),
  ...resource(leases, ofLeases),
  ...resource(hooks, ofHooks),
  ...resource(topics, ofTopics),
  ...resource(queues, ofQueues),
  ...resource(deadLetters, ofDeadLetters),
  ...resource(destinations, ofDestinations),
  ...resource(system, ofSystem),
  ...resource(schedules, ofSchedules),
  ...resource(rings, ofRings),
  ...resource(shards, ofShards),
  ...resource(stats, ofStats),
  ...resource(metrics, ofMetrics),
  ...resource(sources, ofSources),
  ...FILES,
  ...resource(session, ofSession),
];
