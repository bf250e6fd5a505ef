/** What the schemas of answers are made of. */
import * as z from 'zod/mini';

export const count = z.int().check(z.minimum(0));
/** Epoch ms. */
export const instant = z.int().check(z.minimum(0));
export const priority = z.int().check(z.minimum(0), z.maximum(9));
export const texts = z.record(z.string(), z.string());
