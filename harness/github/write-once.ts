import type { Github } from './client.ts';
import { GithubError } from './errors.ts';

/**
 * Makes something that must not be there twice. Where nobody knows whether GitHub carried the request out (no answer, 5xx), it is looked for before it is
 * sent again.
 *
 * @param write sends it, with `request: NO_RETRIES`
 * @param find what `write` made, if it is there; null if not
 * @throws GithubError of the third failure, or the first that leaves no doubt
 */
export async function writeOnce<T>(
  github: Pick<Github, 'pause'>,
  write: () => Promise<T>,
  find: () => Promise<T | null>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof GithubError) || !error.isUncertain || attempt === ATTEMPTS) throw error;
      await github.pause(attempt ** 2, `${error.where} failed (${error.status ?? error.said})`);
      const found = await find();
      if (found !== null) return found;
    }
  }
}

const ATTEMPTS = 3;
