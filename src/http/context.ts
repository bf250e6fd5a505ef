/** What a request carries along while it is answered. */
import type { Token } from '../config/config.ts';
import type { Engine } from '../engine.ts';

export interface SluiceEnv {
  Bindings: object;
  Variables: {
    engine: Engine;
    /** The token that was let in. */
    token: Token;
  };
}
