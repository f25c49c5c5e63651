import { createHash } from 'node:crypto';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { populateDirectory } from '../../kernels/populate.ts';
import { runTool, toolFailed } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';

/** The package on the npm registry that has GitHub's description of its REST API. It is not a dependency: unpacked it takes 385 MB. */
const PACKAGE = {
  name: '@octokit/openapi',
  version: '23.0.2',
  integrity: 'pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==',
} as const;

const FILE = 'api.github.com.json';

/** How the description is fetched. */
export interface FetchDescriptionOptions {
  /** Told once if it has to be fetched. */
  readonly onStep?: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The OpenAPI description of GitHub's REST API in the cache, whether it is there or not. */
export function githubDescriptionPath(cache: string): string {
  return join(cache, 'tools', `github-rest-api-${PACKAGE.version}`, FILE);
}

/**
 * Fetches GitHub's own OpenAPI description of its REST API (13 MB) for the tests, once, with npm as it is set up, and checks it against the SHA-512 that is
 * written here.
 *
 * @returns the file
 * @throws ExplainedError `github-description-unavailable`, `disk-full`, `tool-missing`, `interrupted`
 */
export async function fetchGithubDescription(cache: string, options: FetchDescriptionOptions = {}): Promise<string> {
  const { onStep, signal } = options;
  const file = githubDescriptionPath(cache);
  await populateDirectory(
    join(file, '..'),
    async (folder) => {
      onStep?.("Fetching GitHub's description of its REST API, 28 MB");
      const archive = await download(folder, signal);
      const digest = createHash('sha512')
        .update(await readFile(archive))
        .digest('base64');
      if (digest !== PACKAGE.integrity) {
        throw unavailable('what came is not what was asked for', `SHA-512 is ${digest}, not ${PACKAGE.integrity}`);
      }
      const inside = `package/generated/${FILE}`;
      const unpacked = await runTool('tar', ['--extract', '--gzip', '--file', archive, '--directory', folder, inside], {
        package: 'tar',
        signal,
      });
      if (unpacked.exitCode !== 0) {
        throw toolFailed(unpacked, 'github-description-unavailable', 'the package cannot be unpacked', archive);
      }
      await rename(join(folder, inside), join(folder, FILE));
      await rm(join(folder, 'package'), { recursive: true });
      await rm(archive);
    },
    {
      signal,
      damageOf: async () => ((await stat(file).catch(() => null)) === null ? 'the file is missing' : null),
    },
  );
  return file;
}

async function download(folder: string, signal: AbortSignal | undefined): Promise<string> {
  const { name, version } = PACKAGE;
  const packed = await runTool(
    'npm',
    ['pack', `${name}@${version}`, '--pack-destination', folder, '--ignore-scripts', '--loglevel=error'],
    { package: 'npm', cwd: folder, signal, timeoutMs: 10 * 60_000, env: WITHOUT_TOKENS },
  );
  if (packed.exitCode !== 0) {
    const failed = toolFailed(
      packed,
      'github-description-unavailable',
      `${name}@${version} cannot be fetched`,
      'npm pack',
    );
    throw failed.code === 'disk-full' ? failed : unavailable(`${name}@${version} cannot be fetched`, failed.why);
  }
  return join(folder, `${name.slice(1).replace('/', '-')}-${version}.tgz`);
}

/** What has nothing to do with the registry is not handed to npm. */
const WITHOUT_TOKENS = { GITHUB_TOKEN: '', GH_TOKEN: '' };

function unavailable(what: string, why: string | undefined): ExplainedError {
  return new ExplainedError('github-description-unavailable', what, {
    ...(why === undefined ? {} : { why }),
    fix: 'Only the tests need it. Look whether `npm ping` works, then run `ksym-matrix setup --tests` again.',
  });
}
