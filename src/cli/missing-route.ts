/** Routes that a deployment lacks: an older one has not all that this command asks for. */
import { SluiceError } from '../client/error.ts';
import type { Transport } from '../client/transport.ts';
import { Failure } from './failure.ts';

export class MissingRoute extends Failure {}

/** The bare "nothing here" would not say which route is meant. */
export function nameMissingRoutes(send: Transport): Transport {
  return async (method, path, options) => {
    try {
      return await send(method, path, options);
    } catch (error) {
      if (!(error instanceof SluiceError && ['not_found', 'method_not_allowed'].includes(error.code))) throw error;
      const route = `${method} ${path.split('?')[0]}`;
      throw new MissingRoute(`this deployment has no route ${route}: it is older than this command`);
    }
  };
}
