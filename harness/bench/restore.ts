import { join } from 'node:path';
import { connectAgent } from '../../loader/agent/client.ts';
import { Machine } from '../vm/machine.ts';
import { startParts, stopParts, whenListening } from '../vm/machine-parts.ts';
import { type MemoryFile, SOCKETS } from '../vm/qemu-arguments.ts';
import { connectUnix, QmpClient } from '../vm/qmp.ts';
import { refreshGuest } from '../vm/refresh.ts';
import { loadState } from '../vm/saved-state.ts';
import { TEMPLATE, type Template } from '../vm/template-files.ts';
import { type Bench, type BenchHost, type BenchKernel, USUAL_LINES } from './bench-host.ts';
import type { Figure } from './figures.ts';
import { type Measured, takeTurns } from './statistics.ts';

/** What the first request asks for: small, and made by the kernel. */
const FIRST_REQUEST = '/proc/version';

/** Steps of a restore, in order, by the names that figures have. */
const STEPS = ['QEMU starts', 'state is loaded', 'agent answers', 'clock and random seed', 'first request'] as const;

/** A machine from its saved state, from the start of QEMU to the answer to a first request. */
export const restoreBench: Bench = {
  name: 'restore',
  run: async (host) => {
    const figures: Figure[] = [];
    const limit = host.accelerator.name === 'kvm' ? 150 : 350;
    for (const line of USUAL_LINES) {
      const kernel = await host.kernel(line);
      const template = await host.template(kernel);
      host.say(`restore: ${kernel.name}`);
      const whole = `${kernel.name}: first answer`;
      const values = await takeTurns(
        [
          async () => ({ [whole]: await restoreWhole(kernel, template, host) }),
          async () => restoreStepByStep(kernel, template, host),
        ],
        host.quick ? 3 : 20,
      );
      figures.push({
        what: whole,
        unit: 'ms',
        values: values.get(whole) ?? [],
        aim: { of: 'value', limit, good: 'at-most' },
      });
      for (const step of STEPS) {
        figures.push({ what: `${kernel.name}:   ${step}`, unit: 'ms', values: values.get(step) ?? [] });
      }
    }
    return {
      name: 'restore',
      title: 'Restore, from the start of QEMU to the first answer',
      figures,
      notes: [
        'first answer: Machine.restore, as every cell uses it, and a read of /proc/version',
        'indented: the same steps taken one by one by the bench, in turns with the whole',
      ],
    };
  },
};

async function restoreWhole(kernel: BenchKernel, template: Template, host: BenchHost): Promise<number> {
  const started = performance.now();
  const machine = await Machine.restore({ ...host.machine(kernel), ...savedFiles(template) });
  await machine.agent.readFile(FIRST_REQUEST);
  const elapsed = performance.now() - started;
  await machine.close('kill');
  return elapsed;
}

/** What Machine.restore does, with a stamp after each step. */
async function restoreStepByStep(kernel: BenchKernel, template: Template, host: BenchHost): Promise<Measured> {
  const stamps = [performance.now()];
  const stamp = (): void => void stamps.push(performance.now());
  const { memory, state } = savedFiles(template);
  const parts = await startParts({ ...host.machine(kernel), memory }, 'restore');
  try {
    const qmp = await whenListening(() => QmpClient.connect(join(parts.directory, SOCKETS.qmp)), 3, host.signal);
    stamp();
    await loadState(qmp, state, host.signal);
    stamp();
    const socket = await connectUnix(join(parts.directory, SOCKETS.agent));
    await qmp.execute('cont');
    const agent = await connectAgent(socket);
    stamp();
    await refreshGuest(agent);
    qmp.close();
    stamp();
    await agent.readFile(FIRST_REQUEST);
    stamp();
    await agent.close();
  } finally {
    await stopParts(parts, 'kill');
  }
  return Object.fromEntries(STEPS.map((step, index) => [step, (stamps[index + 1] ?? 0) - (stamps[index] ?? 0)]));
}

/** The files of a template, as Machine.restore takes them. */
export function savedFiles({ directory }: Template): {
  readonly memory: MemoryFile;
  readonly state: string;
} {
  return {
    memory: { path: join(directory, TEMPLATE.ram), share: false },
    state: join(directory, TEMPLATE.state),
  };
}
