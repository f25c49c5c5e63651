import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kernel } from '../../loader/kernel.ts';
import type { CorpusResults } from './baseline.ts';
import type { Corpus } from './collect-objects.ts';
import { runCoreCases } from './core-cases/run-core-cases.ts';
import type { CorpusGuest } from './corpus-guest.ts';

/**
 * Runs the kernel's cases for CO-RE in a machine, and ends the machine.
 * @throws ExplainedError, AgentError, MachineError
 */
export async function coreCasesOn(
  guest: CorpusGuest,
  corpus: Corpus,
  options: {
    readonly cache: string;
    /** Whether bpf_testmod is loaded in the machine. */
    readonly testModule: boolean;
    readonly say: (text: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<CorpusResults['coreCases']> {
  await using machines = guest;
  const folder = join(options.cache, 'corpus', 'core-cases');
  await mkdir(folder, { recursive: true });
  const { agent } = await machines.machine();
  const results = await runCoreCases({
    selftests: corpus.selftests,
    folder,
    kernel: Kernel.over(agent),
    testModule: options.testModule,
    vmlinux: corpus.vmlinux,
    clang: await clangScript(corpus, folder),
    signal: options.signal,
  });
  const told = (verdict: string): Record<string, string> =>
    Object.fromEntries(
      results.filter((one) => one.verdict === verdict).map(({ name, detail }) => [name, detail.split('\n')[0] ?? '']),
    );
  const agrees = results.filter(({ verdict }) => verdict === 'agrees').length;
  options.say(`${agrees} of ${results.length} cases for CO-RE agree`);
  return { agrees, disagrees: told('disagrees'), notRun: told('not-run') };
}

/** The corpus's own clang as one command: it finds its libraries by an environment variable. */
async function clangScript({ clang }: Corpus, folder: string): Promise<string> {
  const path = join(folder, 'clang');
  const settings = Object.entries(clang.environment).map(([name, value]) => `${name}='${value}'`);
  await writeFile(path, `#!/bin/sh\nexec env ${settings.join(' ')} '${clang.path}' "$@"\n`);
  await chmod(path, 0o755);
  return path;
}
