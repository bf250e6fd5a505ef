/**
 * A route of the API as one value: its method and path, whom it lets in, what it takes, and what it does. The application serves it;
 * the document and the wire types are made from it and from the `.doc.ts` beside it, which is no part of a Worker.
 */
import type { Context } from 'hono';
import type * as z from 'zod/mini';
import type { Scope } from '../config/config.ts';
import type { FeatureSource } from '../engine/features.ts';
import type { SluiceEnv } from './context.ts';

export type Schema = z.ZodMiniType;
type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

export interface RouteInput<Query extends Schema, Body extends Schema> {
  /** Left out: the route is open to everybody. */
  scope?: Scope;
  query?: Query;
  /** A JSON object; `true` where not the route judges it, but whoever it is given to. */
  body?: Body | true;
  /** The most bytes of the body. The default is what a request may have anywhere. */
  maxBytes?: number;
}

/** What came with a request. It is read when it is asked for: each route knows best what has to be refused first. */
export interface Input<Query extends Schema, Body extends Schema> {
  /** @throws InvalidMessage that names each field */
  query(): z.output<Query>;
  /** @throws Problem invalid_json; InvalidMessage that names each field */
  body(): Promise<z.output<Body>>;
  /** The body as it is, for whoever judges it. @throws Problem invalid_json; InvalidMessage where it is no object */
  object(): Promise<Record<string, unknown>>;
}

export interface Route<Answer = unknown, Query extends Schema = Schema, Body extends Schema = Schema>
  extends RouteInput<Query, Body> {
  readonly method: Method;
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: each route knows its own; in a list of them only what they answer counts
  answer(c: Context<SluiceEnv, any>, input: Input<any, any>): Answer | Promise<Answer>;
}

/** What a deployment serves: a route, or those of one resource, which may bring along what code of the deployment has of it. */
export type EdgeFunction = (Route | readonly Route[]) & FeatureSource;

/** @param answer what it returns is answered as JSON, with the status that it has set or else 200; a Response is answered as it is */
export function route<
  const Pattern extends `${Method} /${string}`,
  Answer,
  Query extends Schema = never,
  Body extends Schema = never,
>(
  pattern: Pattern,
  takes: RouteInput<Query, Body>,
  answer: (c: Context<SluiceEnv, Pattern>, input: Input<Query, Body>) => Answer | Promise<Answer>,
): Route<Answer, Query, Body> {
  const [method, path] = pattern.split(' ') as [Method, string];
  return { method, path, ...takes, answer };
}
