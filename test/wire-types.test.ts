// What callers send and get, as types: tsc is the judge.
import { expectTypeOf, test } from 'vitest';
import type { Body, Query } from '../src/http/v1/request.ts';
import type { Wire } from '../src/http/v1/wire.ts';

test('what is sent is typed by the schema that judges it', () => {
  expectTypeOf<{ settle: [{ id: 'a'; outcome: 'ack'; delay: '5m' }]; extend: '1m' }>().toExtend<Body<'settle'>>();
  expectTypeOf<{ settle: [{ id: 'a'; outcome: 'lost' }] }>().not.toExtend<Body<'settle'>>();
  expectTypeOf<{ body: 1; delay: '1s'; priority: 3 }>().toExtend<Body<'enqueue'>>();
  expectTypeOf<{ body: 1; priority: 'high' }>().not.toExtend<Body<'enqueue'>>();
  expectTypeOf<{ type: 'invoice.paid'; body: 1 }>().toExtend<Body<'publish'>>();
  expectTypeOf<{ state: 'dead'; limit: 3 }>().toExtend<Query<'listMessages'>>();
  expectTypeOf<{ state: 'lost' }>().not.toExtend<Query<'listMessages'>>();
});

test('what is answered is typed by the schema that the document has', () => {
  expectTypeOf<Wire<'Received'>['messages'][number]['attempt']>().toEqualTypeOf<number>();
  expectTypeOf<Wire<'Receipt' | 'Duplicate'>['state']>().toEqualTypeOf<
    'ready' | 'delayed' | 'accepted' | 'duplicate'
  >();
  expectTypeOf<Wire<'QueueReport'>['recent']>().toEqualTypeOf<Wire<'StatsCounters'> | undefined>();
});
