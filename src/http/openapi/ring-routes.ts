/** The routes of rings, for the document. */
import type { ProblemCode } from '../problem.ts';
import { Items, RingListQuery, RingPageQuery, Rotate } from '../v1/ring-schema.ts';
import { answers } from './answers.ts';
import { OF_BODIES, type Route } from './route.ts';

const OF_RING: ProblemCode[] = [...OF_BODIES, 'unknown_ring'];
const SITES = { items: ['a.example', 'b.example'] };

export const RINGS: Route[] = [
  {
    method: 'get',
    path: '/v1/rings',
    operationId: 'listRings',
    tag: 'rings',
    scope: 'operate',
    summary: 'The rings the token is for, page by page',
    query: RingListQuery,
    answers: [{ status: 200, description: 'Rings by name.', schema: answers.RingList }],
    problems: ['invalid_message'],
  },
  {
    method: 'get',
    path: '/v1/rings/{ring}',
    operationId: 'getRing',
    tag: 'rings',
    scope: 'operate',
    summary: 'A ring and its items, page by page',
    query: RingPageQuery,
    answers: [{ status: 200, description: 'Nothing has moved.', schema: answers.RingItems }],
    problems: ['unknown_ring', 'invalid_message'],
  },
  {
    method: 'put',
    path: '/v1/rings/{ring}/items',
    operationId: 'addToRing',
    tag: 'rings',
    scope: 'operate',
    summary: 'Add up to 1,000 items, all or none',
    description: 'They come behind what is there. An item is in a ring once: one that is there stays where it is.',
    body: { schema: Items, example: SITES },
    answers: [{ status: 200, description: 'They are in the ring.', schema: answers.RingAdded }],
    problems: [...OF_RING, 'ring_full'],
  },
  {
    method: 'delete',
    path: '/v1/rings/{ring}/items',
    operationId: 'removeFromRing',
    tag: 'rings',
    scope: 'operate',
    summary: 'Remove up to 1,000 items',
    body: { schema: Items, example: SITES },
    answers: [{ status: 200, description: 'They are not in the ring.', schema: answers.RingRemoved }],
    problems: OF_RING,
  },
  {
    method: 'post',
    path: '/v1/rings/{ring}/rotate',
    operationId: 'rotateRing',
    tag: 'rings',
    scope: 'receive',
    summary: 'Take the next items, which go to the end',
    description:
      'Clients that rotate at once get different items. A repeat after a lost answer gives the next ones: those of the lost answer come again with their next turn.',
    body: { schema: Rotate, example: { count: 10 } },
    answers: [
      {
        status: 200,
        description: 'The items in their turn; none where the ring has none.',
        schema: answers.Rotated,
        example: { ring: 'sites', ...SITES },
      },
    ],
    problems: OF_RING,
  },
  {
    method: 'delete',
    path: '/v1/rings/{ring}',
    operationId: 'dropRing',
    tag: 'rings',
    scope: 'operate',
    summary: 'Remove a ring with all its items',
    answers: [{ status: 200, description: 'It is gone.', schema: answers.RingRemoved }],
    problems: ['unknown_ring'],
  },
];
