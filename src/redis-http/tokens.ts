/** Who may call: whoever has one of the tokens. How long a comparison takes tells nothing of them. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** @returns whether the header of a request has one of the tokens. All of them are looked at, each time. */
export type Knows = (authorization: string | undefined) => boolean;

const SHORTEST = 32;

/**
 * @param text one token, or several with blanks or lines between: the old and the new one, while they are changed
 * @throws RangeError, which shows nothing of them
 */
export function readTokens(text: string): Knows {
  const tokens = text.split(/\s+/).filter((token) => token !== '');
  if (tokens.length === 0) throw new RangeError('there is no token');
  if (tokens.some((token) => token.length < SHORTEST || !/^[!-~]+$/.test(token)))
    throw new RangeError(
      `a token must be ${SHORTEST} or more visible ASCII characters, such as \`openssl rand -hex 32\` prints`,
    );
  const digests = tokens.map(digestOf);
  return (authorization = '') => {
    const given = digestOf(authorization.replace(/^Bearer /i, ''));
    return digests.map((digest) => timingSafeEqual(digest, given)).includes(true);
  };
}

const digestOf = (text: string) => createHash('sha256').update(text).digest();
