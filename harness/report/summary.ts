import type { RunResults } from '../results/results.ts';
import { describeMachines } from './machines.ts';
import type { Paint } from './paint.ts';

/** What the results were made with, how long it took, and where the evidence lies. */
export function renderSummary(results: RunResults, paint: Paint): string {
  const { host, timings, kernels, totals } = results;
  const cells = Object.values(totals).reduce((sum, count) => sum + count, 0);
  const phases = Object.entries(timings)
    .filter(([phase]) => phase !== 'total')
    .map(([phase, milliseconds]) => `${phase} ${seconds(milliseconds)}`);
  const lines = [
    `${cells} ${cells === 1 ? 'cell' : 'cells'} on ${kernels.map((kernel) => `${kernel.name} (${kernel.release})`).join(', ')}`,
    `${host.accelerator === 'kvm' ? 'accelerated by KVM' : 'emulated (TCG), and so slower'}: ${host.acceleratorReason}`,
    `${host.qemu}; virtme-ng ${host.virtmeNg}; ${host.clang}`,
    ...describeMachines(results),
    `time: ${phases.join(', ')}; ${seconds(timings.total ?? 0)} in total`,
    `evidence: ${results.directory}`,
  ];
  if (!results.complete) lines.push('INTERRUPTED: cells are missing');
  return `${lines.map((line) => paint.dim(line)).join('\n')}\n`;
}

/** "12.3 s". */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
