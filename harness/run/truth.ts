import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { Truth } from '../config/schema.ts';

/** Where the values come from that a program's variables are compared with. None of it goes through the loader under test. */
export interface TruthSources {
  readonly agent: AgentConnection;
  /** `/proc/kallsyms` of this boot, read without restrictions. */
  readonly kallsyms: Kallsyms | null;
  readonly cpu: number;
  readonly readVariable: (name: string) => Promise<bigint>;
}

/**
 * The value that a check wants, as an unsigned 64-bit number.
 * @throws ExplainedError `truth-unavailable` if it cannot be had: the check is then void, which is not the kernel's fault
 */
export async function evaluateTruth(truth: Truth, sources: TruthSources): Promise<bigint> {
  if (typeof truth === 'number') return BigInt.asUintN(64, BigInt(truth));
  if (truth === 'cpu') return BigInt(sources.cpu);
  if (typeof truth === 'string') return BigInt.asUintN(64, BigInt(truth));
  if ('kallsyms' in truth) return addressOf(truth.kallsyms, sources.kallsyms);
  if ('file-size' in truth) return BigInt((await sources.agent.readFile(truth['file-size'])).length);
  if ('variable' in truth) return sources.readVariable(truth.variable);
  let sum = 0n;
  for (const part of truth.sum) sum += await evaluateTruth(part, sources);
  return BigInt.asUintN(64, sum);
}

function addressOf(name: string, kallsyms: Kallsyms | null): bigint {
  const entries = kallsyms?.find(name) ?? [];
  const [entry] = entries;
  if (entry === undefined || entries.length > 1) {
    throw new ExplainedError(
      'truth-unavailable',
      `/proc/kallsyms has ${entries.length} addresses for ${name}, and a check needs one`,
    );
  }
  return entry.address;
}
