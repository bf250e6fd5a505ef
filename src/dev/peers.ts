/** Packages that only local runs and tests need: a project that has them not is told which, and how it gets them. */

const PEERS = ['ioredis', 'js-redis-server'];
/** Of Node, Bun and Deno. */
const NOT_FOUND = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];

export class MissingPeer extends Error {
  override readonly name = 'MissingPeer';
}

/** @param load imports something that needs them @param needed all that it does, so that nobody is told to install more @throws MissingPeer */
export async function importPeer<Module>(load: () => Promise<Module>, needed = PEERS): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = PEERS.find((name) => message.includes(`'${name}`) || message.includes(`"${name}`));
    if (!missing || !NOT_FOUND.includes(code ?? '')) throw cause;
    const said = `Sluice on this machine needs the package ${missing}, which is not installed`;
    throw new MissingPeer(`${said}: npm install --save-dev ${needed.join(' ')}`, { cause });
  }
}
