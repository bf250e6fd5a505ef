/**
 * Effects, run as soon as the page has changed. hono's useEffect waits for the next frame, and runs an effect twice where the
 * component is built again before that: two timers, two plots.
 */
export { useLayoutEffect as useEffect } from 'hono/jsx/dom';
