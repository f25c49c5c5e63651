import type { AgentConnection } from '../agent/connection.ts';
import type { ObjectContent } from '../object/spec.ts';
import type { KernelFacts } from '../resolve/outcome.ts';
import { FactReader } from './fact-reader.ts';

export { readKallsyms, readVmlinuxBtf } from './fact-files.ts';

/** What need not be read, because it is known already: from the boot's first reading, or from a cache beside a saved machine. */
export type KnownFacts = Partial<KernelFacts>;

/**
 * Reads all that the resolve step can want to know about the agent's kernel; what is in `known` is taken from there. Things that cannot be
 * read are null or empty, with the reason where {@link KernelFacts} has a place for it. Throws AgentError if the agent does not answer, FormatError for damaged BTF or kallsyms.
 *
 * {@link readFactsFor} reads what one object wants, which mostly is far less.
 */
export function readKernelFacts(agent: AgentConnection, known: KnownFacts = {}): Promise<KernelFacts> {
  return new FactReader(agent, known).all();
}

/**
 * Reads what resolving, relocating and loading one object takes; what is in `known` is not read. {@link FactReader} keeps what it has read for
 * the next object. Throws as {@link readKernelFacts}.
 */
export function readFactsFor(
  agent: AgentConnection,
  spec: ObjectContent,
  known: KnownFacts = {},
): Promise<KernelFacts> {
  return new FactReader(agent, known).factsFor(spec);
}
