import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { loadObject } from '../../loader/load/load.ts';
import { LoadError } from '../../loader/load-error.ts';
import { parseObject } from '../../loader/object/parse.ts';
import type { ObjectContent } from '../../loader/object/spec.ts';
import type { KernelFacts } from '../../loader/resolve/outcome.ts';
import { type CorpusObject, LOADED, type ParsedObject, type Verdict } from './verdict.ts';

/** Reasons that no error class of the loader's own stands behind: a defect, whatever the object. */
export const CRASHED = 'not-an-explained-error';

/** The loader's first step, which needs no kernel. */
export function parseCorpusObject(
  object: CorpusObject,
  bytes: Uint8Array,
): { readonly parsed: ParsedObject; readonly spec: ObjectContent | null } {
  try {
    const spec = parseObject(bytes, object.id);
    const programs = spec.programs.filter(({ autoload }) => autoload).map(({ name }) => name);
    const { byteOrder } = spec;
    return { spec, parsed: { ...object, parsed: true, reason: '', detail: '', byteOrder, programs } };
  } catch (error) {
    const { reason, detail } = refusal(error);
    return { spec: null, parsed: { ...object, parsed: false, reason, detail, byteOrder: null, programs: [] } };
  }
}

/**
 * Loads an object, or some of its programs, and lets it go again. Nothing is attached.
 * @throws AgentError if the guest is lost
 */
export async function tryToLoad(
  spec: ObjectContent,
  kernel: { readonly agent: AgentConnection; readonly facts: KernelFacts },
  programs?: readonly string[],
): Promise<Verdict> {
  try {
    const loaded = await loadObject(spec, { ...kernel, ...(programs === undefined ? {} : { programs }) });
    await loaded.close();
    return LOADED;
  } catch (error) {
    // The connection is gone after these; what the agent merely refuses is the loader's to explain.
    if (error instanceof AgentError && error.code !== 'agent-call-failed' && error.code !== 'agent-refused')
      throw error;
    return { loaded: false, ...refusal(error) };
  }
}

function refusal(error: unknown): { readonly reason: string; readonly detail: string } {
  if (error instanceof LoadError) {
    const parts = [error.code, error.program, error.errnoName];
    const log = error.verifierLog === null ? '' : `\n${error.verifierLog.slice(-MOST_LOG)}`;
    return { reason: parts.filter((part) => part !== null).join(' '), detail: `${error.explain()}${log}` };
  }
  if (error instanceof ExplainedError) return { reason: error.code, detail: error.explain() };
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { reason: CRASHED, detail };
}

/** Characters of a verifier log that are kept. */
const MOST_LOG = 4000;
