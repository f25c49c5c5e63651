import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runTool } from '../../kernels/run-tool.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { writeCpio } from '../vm/cpio.ts';
import { Machine } from '../vm/machine.ts';
import { DEFAULT_DEADLINES, startParts, stopParts } from '../vm/machine-parts.ts';
import { type Bench, type BenchHost, type BenchKernel, USUAL_LINES } from './bench-host.ts';
import type { Figure } from './figures.ts';
import { takeTurns } from './statistics.ts';

/** What bare-init.c prints. */
const SIGN = 'bare-init: runs';

/**
 * A boot until the agent answers, against one of the same kernel on the same hardware until its first program runs: the difference is what our
 * initramfs and the agent cost.
 */
export const bootBench: Bench = {
  name: 'boot',
  run: async (host) => {
    const bare = await buildBareInitramfs(host);
    const figures: Figure[] = [];
    for (const line of USUAL_LINES) {
      const kernel = await host.kernel(line);
      host.say(`boot: ${kernel.name}`);
      const names = { bare: `${kernel.name}: bare kernel`, ours: `${kernel.name}: agent answers` };
      const values = await takeTurns(
        [
          async () => ({ [names.bare]: await bootBare(kernel, bare, host) }),
          async () => ({ [names.ours]: await bootOurs(kernel, host) }),
        ],
        host.quick ? 2 : 7,
      );
      figures.push(
        { what: names.bare, unit: 'ms', values: values.get(names.bare) ?? [] },
        {
          what: names.ours,
          unit: 'ms',
          values: values.get(names.ours) ?? [],
          against: names.bare,
          aim: { of: 'ratio', limit: 1.2, good: 'at-most' },
        },
      );
    }
    return {
      name: 'boot',
      title: 'Cold boot, from the start of QEMU',
      figures,
      notes: [
        'bare kernel: the same QEMU options and kernel parameters, an initramfs of 1.5 kB whose /init is a static program',
        `that writes one line (harness/bench/bare-init.c), until that line is on the console`,
        'agent answers: a booted machine as `run --no-templates` uses it, until the hello of the agent',
      ],
    };
  },
};

async function bootOurs(kernel: BenchKernel, host: BenchHost): Promise<number> {
  const machine = await Machine.start(host.machine(kernel));
  await machine.close('kill');
  return machine.readyMs;
}

async function bootBare(kernel: BenchKernel, initrd: string, host: BenchHost): Promise<number> {
  const options = host.machine(kernel);
  const started = performance.now();
  const parts = await startParts({ ...options, prepared: { ...kernel.prepared, initrd } }, 'boot');
  try {
    while (!parts.console.lines.some((line) => line.includes(SIGN))) {
      const elapsed = performance.now() - started;
      if (parts.exit !== undefined || host.signal.aborted || elapsed > DEFAULT_DEADLINES.ready) {
        throw new ExplainedError('bench-boot-failed', 'the bare kernel does not come up', {
          where: kernel.image,
          why: parts.console.tail(3).join('; '),
        });
      }
      await sleep(2);
    }
    return performance.now() - started;
  } finally {
    await stopParts(parts, 'kill');
  }
}

/** An archive with nothing but a static /init. */
async function buildBareInitramfs({ folder, signal }: BenchHost): Promise<string> {
  const [source, program, archive] = [
    join(PACKAGE_ROOT, 'harness', 'bench', 'bare-init.c'),
    join(folder, 'bare-init'),
    join(folder, 'bare.cpio'),
  ];
  const flags = ['-O2', '-ffreestanding', '-nostdlib', '-static', '-fno-pic', '-fno-stack-protector', '-fuse-ld=lld'];
  const target = ['-target', 'x86_64-linux-gnu'];
  const built = await runTool('clang', [...target, ...flags, source, '-o', program], { package: 'clang', signal });
  if (built.exitCode !== 0) {
    throw new ExplainedError('bench-not-compiled', 'a program of the bench does not compile', {
      where: source,
      why: built.stderr,
    });
  }
  await writeFile(archive, writeCpio([{ path: 'init', mode: 0o755, content: await readFile(program) }]));
  return archive;
}
