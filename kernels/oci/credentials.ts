import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** What somebody logs in with. Neither part may be printed. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/**
 * What `docker login` (or `podman login` with the same file) has kept for a registry: `auths` of `DOCKER_CONFIG/config.json`, else of `~/.docker/config.json`.
 * Null if there is nothing: most images can be had without. Helpers that keep passwords elsewhere are not asked.
 */
export async function findCredentials(
  registry: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Credentials | null> {
  const folder = env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker');
  const text = await readFile(join(folder, 'config.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const auths = readAuths(text);
  for (const [key, entry] of Object.entries(auths)) {
    if (hostOf(key) !== hostOf(registry)) continue;
    const decoded = Buffer.from(entry.auth ?? '', 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon > 0) return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
    if (entry.username !== undefined && entry.password !== undefined) {
      return { user: entry.username, password: entry.password };
    }
  }
  return null;
}

/** The value of an Authorization header (RFC 7617). */
export function basicAuthorization({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

const entrySchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
});
const fileSchema = z.object({ auths: z.record(z.string(), entrySchema).default({}) });

/** A file that is damaged is like one that is not there: the registry then says what it thinks of that. */
function readAuths(text: string): z.infer<typeof fileSchema>['auths'] {
  try {
    return fileSchema.parse(JSON.parse(text)).auths;
  } catch {
    return {};
  }
}

/** `docker login` writes `https://index.docker.io/v1/` for Docker Hub, and bare hosts for the others. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === 'index.docker.io' ? 'docker.io' : host;
}
