import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { runTool } from '../run-tool.ts';
import type { VirtmeNg } from '../virtme-ng.ts';
import { type Conflict, type Fragment, findConflicts } from './fragments.ts';
import { runMake } from './run-make.ts';
import { configKernelCommand } from './tools.ts';

/** What a kernel is configured from. */
export interface ConfigureRequest {
  readonly source: string;
  /** kbuild's O=. */
  readonly objects: string;
  readonly fragments: readonly Fragment[];
  readonly virtme: VirtmeNg;
  readonly log: string;
  readonly say: (message: string) => void;
  readonly signal: AbortSignal | undefined;
}

/** Same for every run of make, as another ARCH would compile everything anew. */
export const ARCH = 'ARCH=x86_64';

/**
 * Writes OBJECTS/.config: everything off (`make allnoconfig`), then virtme-ng's options with the fragments among them
 * (`virtme-configkernel --update --custom`), then the defaults of what has become visible. virtme-configkernel's own --allnoconfig
 * ends with `syncconfig`, which asks questions.
 *
 * @returns the finished .config
 * @throws ExplainedError `config-conflict` if an option of the user's fragments did not stick, `build-failed`, `interrupted`
 */
export async function configureKernel(request: ConfigureRequest): Promise<string> {
  const { source, objects, fragments, virtme, log, signal } = request;
  await mkdir(objects, { recursive: true });
  const common = { cwd: source, log, signal };
  const output = `O=${objects}`;
  await runMake({ ...common, task: 'configuring the kernel', command: ['make', '-s', ARCH, output, 'allnoconfig'] });
  // A folder of its own: the names of the fragments may be anything.
  const folder = join(objects, '.fragments');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const files = fragments.map((_, index) => join(folder, `${index}.config`));
  await Promise.all(files.map((file, index) => writeFile(file, `${fragments[index]?.text ?? ''}\n`)));
  const custom = files.flatMap((file) => ['--custom', file]);
  const [program, ...leading] = configKernelCommand(virtme);
  await runMake({
    ...common,
    task: 'configuring the kernel with virtme-ng',
    command: [program, ...leading, '--arch', 'x86_64', '--update', ...custom, output],
    env: virtme.environment,
  });
  const config = await readFile(join(objects, '.config'), 'utf8');
  await judge(findConflicts(fragments, config), request);
  return config;
}

/** What a fragment asked for is never dropped silently. */
async function judge(conflicts: readonly Conflict[], request: ConfigureRequest): Promise<void> {
  const sentences = await Promise.all(
    conflicts.map(async ({ wanted, found }) => {
      const reason = (await isKnown(wanted.name, request))
        ? 'something it depends on is missing, something that is set selects it, or virtme-ng sets it itself'
        : 'this kernel has no such option';
      return `${wanted.fragment.name} asks for ${wanted.name}=${wanted.value}, the kernel has ${found}: ${reason}`;
    }),
  );
  const [own, users] = [true, false].map((flag) =>
    sentences.filter((_, index) => conflicts[index]?.wanted.fragment.own === flag),
  );
  for (const sentence of own ?? []) request.say(`warning: ${sentence}`);
  if (users === undefined || users.length === 0) return;
  throw new ExplainedError('config-conflict', 'an option did not stick', {
    where: request.source,
    why: users.join('\n'),
    fix: "Add what it depends on to the fragment; `make menuconfig`'s search (/) shows that. Or take the option out.",
  });
}

async function isKnown(option: string, request: ConfigureRequest): Promise<boolean> {
  const pattern = `^[[:space:]]*(menu)?config ${option.replace('CONFIG_', '')}[[:space:]]*$`;
  const { exitCode } = await runTool('grep', ['-rqE', '--include=Kconfig*', pattern, request.source], {
    package: 'grep',
    signal: request.signal,
  });
  return exitCode === 0;
}
