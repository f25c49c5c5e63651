import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../../../kernels/run-tool.ts';
import { ExplainedError } from '../../../loader/errors.ts';
import { languageOf } from './compile.ts';

/** A checkout of the library. */
export interface Checkout {
  /** Of everything that is compiled, in hexadecimal. */
  readonly digest: string;
  /** Whether it is from before 0.10, whose go.mod asks for Go 1.18. */
  readonly isOld: boolean;
  /** By git's tags, as in `0.22.0-15-g5ba0b3b`; `checkout` if it has none. */
  readonly version: string;
}

/** The Go that 0.10 asks for, by its minor number. */
const GO_OF_0_10 = 18;

/**
 * Reads a user's checkout of the library.
 * @throws ExplainedError `loader-path-unusable` if there are no sources of cilium/ebpf
 */
export async function openCheckout(path: string, signal: AbortSignal): Promise<Checkout> {
  const goMod = await readFile(join(path, 'go.mod'), 'utf8').catch((cause: unknown) => {
    throw new ExplainedError('loader-path-unusable', 'there are no sources of cilium/ebpf', {
      where: path,
      why: 'it has no go.mod that can be read',
      fix: 'Give the folder of a checkout of github.com/cilium/ebpf.',
      cause,
    });
  });
  const language = languageOf(goMod, path, Number.POSITIVE_INFINITY);
  return {
    digest: await digestOfSources(path),
    isOld: language !== null && Number(language.split('.')[1]) < GO_OF_0_10,
    version: await describe(path, signal),
  };
}

async function describe(path: string, signal: AbortSignal): Promise<string> {
  // Without git the version is not known, and nothing else is lost.
  const described = await runTool('git', ['-C', path, 'describe', '--tags', '--match', 'v*'], {
    package: 'git',
    signal,
  }).catch(() => null);
  if (signal.aborted) throw signal.reason;
  const text = described?.exitCode === 0 ? described.stdout.toString('utf8').trim() : '';
  return text === '' ? 'checkout' : text.replace(/^v/, '');
}

async function digestOfSources(path: string): Promise<string> {
  const entries = await readdir(path, { recursive: true });
  const sources = entries.filter((name) => /(?:^|\/)[^/]+\.(?:go|s)$/.test(name) && !name.endsWith('_test.go')).sort();
  const digest = createHash('sha256');
  for (const name of ['go.mod', ...sources]) {
    digest.update(`${name}\0`).update(await readFile(join(path, name)));
  }
  return digest.digest('hex');
}
