/** The one way to Redis. `#connect` is undici.ts in Node and fetch.ts everywhere else: docs/decisions/0007. */
export { connect } from '#connect';
