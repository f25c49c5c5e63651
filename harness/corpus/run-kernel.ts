import { readFile } from 'node:fs/promises';
import { AgentError } from '../../loader/agent/agent-error.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { CorpusGuest } from './corpus-guest.ts';
import type { LibbpfMemory } from './libbpf-memory.ts';
import { askLibbpf, TIMEOUT } from './oracle.ts';
import { parseCorpusObject, tryToLoad } from './our-loader.ts';
import type { KernelVerdict, ParsedObject, Verdict } from './verdict.ts';

/** What {@link runOnKernel} is told and tells. */
export interface KernelRun {
  readonly guest: CorpusGuest;
  readonly objects: readonly ParsedObject[];
  readonly memory: LibbpfMemory;
  /** Of an object in libbpf's hands; ours has the deadline of the machine's requests. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onVerdict: (object: ParsedObject, verdict: KernelVerdict) => void;
}

/**
 * Has every object loaded by libbpf and by us on one kernel, in one machine as long as none of them brings it down. A machine that is lost is
 * the verdict of whoever was loading, and the next object gets a new one.
 * @throws MachineError, ExplainedError if no machine can be opened
 */
export async function runOnKernel(run: KernelRun): Promise<void> {
  for (const object of run.objects) {
    run.signal.throwIfAborted();
    run.onVerdict(object, await judge(run, object));
  }
}

async function judge(run: KernelRun, object: ParsedObject): Promise<KernelVerdict> {
  const bytes = await readFile(object.path);
  const started = performance.now();
  const libbpf = await run.memory.get(object.sha256, () =>
    surviving(run.guest, async () => {
      const { agent, busybox } = await run.guest.machine();
      return askLibbpf(agent, busybox, bytes, run.timeoutMs);
    }),
  );
  const between = performance.now();
  const { spec } = parseCorpusObject(object, bytes);
  const ours =
    spec === null
      ? { loaded: false, reason: object.reason, detail: object.detail }
      : // What the verifier took too long for would cost the machine as well: our request cannot be taken back.
        libbpf.reason === TIMEOUT
        ? libbpf
        : await surviving(run.guest, async () => tryToLoad(spec, await run.guest.machine()));
  const refusedPrograms: Record<string, string> = {};
  if (spec !== null && libbpf.loaded && !ours.loaded) {
    for (const program of object.programs) {
      const alone = await surviving(run.guest, async () => tryToLoad(spec, await run.guest.machine(), [program]));
      if (!alone.loaded) refusedPrograms[program] = alone.reason;
    }
  }
  const ended = performance.now();
  const milliseconds = { libbpf: Math.round(between - started), ours: Math.round(ended - between) };
  return { libbpf, ours, refusedPrograms, milliseconds };
}

/** A verdict also where the machine does not live to tell it. */
async function surviving(guest: CorpusGuest, attempt: () => Promise<Verdict>): Promise<Verdict> {
  let verdict: Verdict | undefined;
  try {
    verdict = await attempt();
    if (!guest.spoilt) return verdict;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return machineLost(await guest.lost(error));
  }
  return machineLost(await guest.lost(new Error('the kernel has reported a fault')));
}

function machineLost(error: Error): Verdict {
  const code = error instanceof ExplainedError ? error.code : 'unknown';
  return {
    loaded: false,
    reason: `machine-lost ${code}`,
    detail: error instanceof ExplainedError ? error.explain() : error.message,
  };
}
