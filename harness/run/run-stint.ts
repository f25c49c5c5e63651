import { ExplainedError } from '../../loader/errors.ts';
import { initramfsPlace } from '../guest/guest-place.ts';
import { GuestLoaders } from '../loaders/guest-loaders.ts';
import type { PreparedLoader } from '../loaders/prepared-loader.ts';
import { cellName } from '../results/cell-name.ts';
import { ConsoleMarker, isMarker } from '../vm/console-marker.ts';
import { MachineError } from '../vm/errors.ts';
import type { OpenedMachine } from '../vm/machine-source.ts';
import type { ConsoleSplat } from '../vm/splats.ts';
import type { CompiledProgram } from './compile.ts';
import type { GuestState } from './guest-observer.ts';
import { LeftoverWatch } from './leftovers.ts';
import { describeMachineFailure, endsMachine, infra, isConnectionLost } from './machine-failure.ts';
import type { Outcome } from './outcome.ts';
import { type OtherLoader, runWithSettings } from './run-with-settings.ts';
import type { Cell } from './select.ts';
import { withSplats } from './splat-outcome.ts';
import type { Isolation, Stint } from './stints.ts';
import { whenCrashed } from './when-crashed.ts';

/** A machine with what is known of it. */
export interface CellMachine extends OpenedMachine {
  readonly state: GuestState;
  /** Why no cell of the group can run on it, such as a module that the kernel does not have; null if they can. */
  readonly refusal: Outcome | null;
}

/** One time that a cell was run. */
export interface Attempt {
  readonly outcome: Outcome;
  /** Null if no machine came up. */
  readonly state: GuestState | null;
  readonly durationMs: number;
  /** Console log of the machine; null if there was none. */
  readonly console: string | null;
  /** What the console printed meanwhile. */
  readonly consoleLines: readonly string[];
  readonly splats: readonly ConsoleSplat[];
  /** What the cell left behind on a machine that others were to use after it; the machine is replaced. */
  readonly leftovers: readonly string[];
}

/** The loaders of a run. */
export interface RunLoaders {
  /** By name; a loader that is not among them is ours. */
  readonly prepared: ReadonlyMap<string, PreparedLoader>;
  /** The observer's path on this machine; null if there is no other loader than ours. */
  readonly observer: string | null;
  /** Milliseconds that another loader has for a cell. */
  readonly timeoutMs: number;
}

/** What a stint needs from the run around it. */
export interface StintHost {
  readonly isolation: Isolation;
  readonly compiled: ReadonlyMap<string, CompiledProgram>;
  readonly loaders: RunLoaders;
  /** A machine for the next of these cells. Throws MachineError if it does not come up. */
  readonly open: (stint: Stint, cell: Cell) => Promise<CellMachine>;
  /** How often a cell that ends red is run again, on a new machine each time. */
  readonly retries: number;
  /** Whether an attempt ends red. */
  readonly isRed: (cell: Cell, attempt: Attempt) => boolean;
  /** A cell has ended; all its attempts, in order. */
  readonly onCell: (cell: Cell, attempts: readonly Attempt[]) => Promise<void>;
  /** A cell has ended red, and its machine can be looked at until this resolves: to true if somebody has, so that it is not what it was. */
  readonly onRed: (cell: Cell, attempt: Attempt, machine: CellMachine) => Promise<boolean>;
  /** A machine is about to be closed. */
  readonly onMachineEnd: (machine: CellMachine) => Promise<void>;
  /** Something that the user should know. */
  readonly onWarning: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs the cells of a stint, one after the other. A machine that crashes, falls silent or is not clean any more is charged to the cell that
 * was running; the rest go on with a new one.
 */
export async function runStint(stint: Stint, host: StintHost): Promise<void> {
  const waiting: Cell[] = [];
  for (const cell of stint.cells) {
    const failure = failureBefore(cell, host);
    if (failure === undefined) waiting.push(cell);
    else await host.onCell(cell, [attemptWithout(failure)]);
  }
  while (waiting.length > 0 && !host.signal.aborted) {
    const [first] = waiting;
    if (first === undefined) return;
    const machine = await openOrExplain(stint, first, host);
    if (machine === null) return;
    if (!('machine' in machine)) {
      for (const cell of waiting.splice(0)) await host.onCell(cell, [attemptWithout(machine)]);
      return;
    }
    if (machine.refusal !== null) {
      await closeMachine(machine, host);
      for (const cell of waiting.splice(0)) await host.onCell(cell, [attemptWithout(machine.refusal, machine.state)]);
      return;
    }
    let red: { readonly cell: Cell; readonly attempt: Attempt } | null;
    try {
      red = await runOnMachine(machine, waiting, host);
    } finally {
      await closeMachine(machine, host);
    }
    if (red !== null) await host.onCell(red.cell, await retry(stint, red.cell, red.attempt, host));
  }
}

/** Why a cell needs no machine: its program does not compile, or its loader cannot be had. */
function failureBefore({ loader, program }: Cell, { compiled, loaders }: StintHost): Outcome | undefined {
  const prepared = loaders.prepared.get(loader.name);
  const unavailable = prepared?.unavailable ?? null;
  if (unavailable !== null) return { ...infra(`${loader.name} cannot be had: ${unavailable}`), phase: 'boot' };
  const failure = compiled.get(program.name)?.failure;
  // What our parser refuses, another loader may well take.
  return failure?.class === 'object-refused' && (prepared?.program ?? null) !== null ? undefined : failure;
}

/**
 * Takes cells off the front of `waiting` until none is left or the machine may not be used any more.
 * @returns a cell that is to be run again, for which the machine makes room
 */
async function runOnMachine(
  machine: CellMachine,
  waiting: Cell[],
  host: StintHost,
): Promise<{ readonly cell: Cell; readonly attempt: Attempt } | null> {
  const observers = observersOf(machine, host);
  while (waiting.length > 0) {
    const [cell] = waiting;
    if (cell === undefined) return null;
    const attempt = await attemptCell(cell, machine, observers, host, waiting.length > 1);
    if (attempt === null) return null;
    waiting.shift();
    const touched = !host.signal.aborted && host.isRed(cell, attempt) && (await host.onRed(cell, attempt, machine));
    if (isWorthRetrying(cell, [attempt], host)) return { cell, attempt };
    await host.onCell(cell, [attempt]);
    if (touched || host.isolation === 'cell' || attempt.leftovers.length > 0) return null;
    if (machine.machine.spoilt || endsMachine(attempt.outcome) || host.signal.aborted) return null;
  }
  return null;
}

/** What looks at a machine while cells run on it. */
interface Observers {
  readonly watch: LeftoverWatch;
  readonly marker: ConsoleMarker;
  /** The loaders that it has; null if no other than ours is run. */
  readonly guest: GuestLoaders | null;
}

function observersOf({ machine, state }: CellMachine, { loaders }: StintHost): Observers {
  const { observer } = loaders;
  return {
    guest: observer === null ? null : new GuestLoaders(initramfsPlace(machine.agent), observer),
    watch: new LeftoverWatch(machine.agent, state.baseline),
    marker: new ConsoleMarker(machine.agent, machine.console),
  };
}

/** Runs a cell once; null if the run is being stopped, so that nothing can be said about it. */
async function attemptCell(
  cell: Cell,
  { machine, state }: CellMachine,
  { watch, marker, guest }: Observers,
  host: StintHost,
  othersFollow: boolean,
): Promise<Attempt | null> {
  const { console, agent } = machine;
  const mark = console.mark();
  const started = performance.now();
  let outcome: Outcome;
  const leftovers: string[] = [];
  const name = cellName(cell.program.name, cell.variant.name);
  const run = async (): Promise<Outcome> => {
    await marker.write(`${name} begins`);
    const compiled = host.compiled.get(cell.program.name) ?? { spec: null, object: '' };
    const other = otherLoader(cell, guest, host);
    const { outcome: ran, left } = await runWithSettings(cell, { compiled, agent, state, other });
    leftovers.push(...left);
    const caughtUp = machine.spoilt ? undefined : await marker.writeEnd(`${name} ends`);
    const shared = othersFollow && host.isolation === 'kernel';
    if (shared && !machine.spoilt) {
      if (other !== null && (await other.guest.leftProcess()))
        leftovers.push(`a process of ${cell.loader.name} still runs`);
      leftovers.push(...(await watch.find(name)));
    }
    if ((await caughtUp?.()) === false && shared) leftovers.push('the console is still printing');
    return ran;
  };
  const ended = new AbortController();
  try {
    outcome = await Promise.race([run(), whenCrashed(console, ended.signal)]);
  } catch (error) {
    if (host.signal.aborted) return null;
    if (!(error instanceof ExplainedError)) throw error;
    // A request that failed while the machine is well is the harness's fault, such as a check whose truth cannot be had.
    const lost = isConnectionLost(error) || machine.spoilt;
    outcome = lost ? describeMachineFailure(await machine.diagnose(error)) : infra(error.explain());
  } finally {
    ended.abort();
  }
  if (!endsMachine(outcome) && console.crash !== undefined) {
    outcome = describeMachineFailure(await machine.diagnose(undefined));
  }
  const { lines, splats } = console.since(mark);
  return {
    outcome: withSplats(outcome, splats),
    state,
    durationMs: performance.now() - started,
    console: console.path,
    consoleLines: lines.filter((line) => !isMarker(line)),
    splats,
    leftovers,
  };
}

/** A cell's loader in a machine; null if it is ours. */
function otherLoader({ loader }: Cell, guest: GuestLoaders | null, { loaders }: StintHost): OtherLoader | null {
  const program = loaders.prepared.get(loader.name)?.program ?? null;
  if (program === null || guest === null) return null;
  return { loader: { name: loader.name, program }, guest, timeoutMs: loaders.timeoutMs };
}

function isWorthRetrying(cell: Cell, attempts: readonly Attempt[], host: StintHost): boolean {
  const last = attempts.at(-1);
  return attempts.length <= host.retries && last !== undefined && !host.signal.aborted && host.isRed(cell, last);
}

/** Runs a cell again until it does not end red or was run often enough. All attempts, in order. */
async function retry(stint: Stint, cell: Cell, first: Attempt, host: StintHost): Promise<Attempt[]> {
  const attempts = [first];
  while (isWorthRetrying(cell, attempts, host)) {
    const again = await attemptAlone(stint, cell, host);
    if (again === null) break;
    attempts.push(again);
  }
  return attempts;
}

/** Runs a cell once, alone on a new machine; null if the run is being stopped. */
async function attemptAlone(stint: Stint, cell: Cell, host: StintHost): Promise<Attempt | null> {
  const machine = await openOrExplain(stint, cell, host);
  if (machine === null) return null;
  if (!('machine' in machine)) return attemptWithout(machine);
  try {
    return await attemptCell(cell, machine, observersOf(machine, host), host, false);
  } finally {
    await closeMachine(machine, host);
  }
}

/** A machine, or the outcome for cells that cannot have one, or null if the run is being stopped. */
async function openOrExplain(stint: Stint, cell: Cell, host: StintHost): Promise<CellMachine | Outcome | null> {
  try {
    return await host.open(stint, cell);
  } catch (error) {
    if (host.signal.aborted) return null;
    if (!(error instanceof MachineError)) throw error;
    return describeMachineFailure(error);
  }
}

async function closeMachine(used: CellMachine, host: StintHost): Promise<void> {
  const { machine } = used;
  try {
    await host.onMachineEnd(used);
  } finally {
    // Nothing of it is wanted any more, and whoever asks it to end waits for it.
    await machine.close('kill');
  }
  const { fileError, path } = machine.console;
  if (fileError !== undefined) host.onWarning(`${path} is incomplete: ${fileError.message}`);
}

function attemptWithout(outcome: Outcome, state: GuestState | null = null): Attempt {
  return { outcome, state, durationMs: 0, console: null, consoleLines: [], splats: [], leftovers: [] };
}
