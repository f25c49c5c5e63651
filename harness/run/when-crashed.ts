import { setTimeout as sleep } from 'node:timers/promises';
import { ExplainedError } from '../../loader/errors.ts';
import type { ConsoleLog } from '../vm/console.ts';

const LOOK_MS = 50;
/** Time for the rest of the report, and for an answer that is on its way. */
const GRACE_MS = 1000;

/**
 * Rejects a moment after the kernel has said on its console that it crashed or is stuck: an agent that has not answered by then need not be
 * waited for until its deadline, which is a minute away.
 * @param signal ends the watch
 * @throws ExplainedError `machine-crashed`; Node's AbortError
 */
export async function whenCrashed(console: Pick<ConsoleLog, 'crash'>, signal: AbortSignal): Promise<never> {
  while (console.crash === undefined) await sleep(LOOK_MS, undefined, { signal });
  await sleep(GRACE_MS, undefined, { signal });
  throw new ExplainedError('machine-crashed', 'the kernel has crashed, and the agent did not answer any more');
}
