import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { findQemu } from '../vm/qemu.ts';
import type { BenchHost } from './bench-host.ts';

/** What figures were measured on; without it they say little. */
export interface HostDescription {
  /** Start, as in 2026-01-31T12:00:00.000Z. */
  readonly startedAt: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly accelerator: 'kvm' | 'tcg';
  readonly acceleratorReason: string;
  readonly qemu: string;
  readonly virtmeNg: string;
  readonly node: string;
  /** Runnable processes over the last minute, when the benches began. */
  readonly load: number;
}

/** Looks at this host. */
export async function describeHost({ accelerator, virtme }: BenchHost): Promise<HostDescription> {
  return {
    startedAt: new Date().toISOString(),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    accelerator: accelerator.name,
    acceleratorReason: accelerator.reason,
    qemu: (await findQemu()).version,
    virtmeNg: virtme.version,
    node: process.versions.node,
    load: loadavg()[0] ?? 0,
  };
}

/** The description for people. */
export function renderHost(host: HostDescription): string {
  const how = host.accelerator === 'kvm' ? 'KVM' : `emulated (TCG): ${host.acceleratorReason}`;
  return [
    `${host.startedAt}: ${host.processor}, ${host.cores} cores, ${(host.memoryBytes / 1e9).toFixed(0)} GB; load ${host.load.toFixed(2)} at the start`,
    `${host.qemu}; virtme-ng ${host.virtmeNg}; Node ${host.node}; ${how}`,
  ].join('\n');
}

/** Says that the host is busy, so that figures come out too high; null if it is not. */
export function loadWarning(): string | null {
  const load = loadavg()[0] ?? 0;
  return load < 1 ? null : `the load of this host is ${load.toFixed(2)}: figures that are taken now are too high`;
}
