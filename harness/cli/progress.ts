import { createLogUpdate } from 'log-update';
import type { KernelProgress } from '../../kernels/store.ts';
import { OUR_LOADER } from '../config/loader-entries.ts';
import { showControls } from '../report/formats/control-characters.ts';
import { lookOf, paintVerdict } from '../report/looks.ts';
import { paintFor } from '../report/paint.ts';
import { seconds } from '../report/summary.ts';
import { cellName } from '../results/cell-name.ts';
import { RED_VERDICTS } from '../results/verdicts.ts';
import type { RunEvent } from '../run/events.ts';

/** Shows a person what goes on, on stderr. */
export interface ProgressView {
  readonly show: (event: RunEvent) => void;
  /** Leaves the screen to somebody else until the function that it gives is called; what there is to say comes then. */
  readonly hold: () => () => void;
  /** Leaves the screen as it should stay. */
  readonly end: () => void;
}

const LINE_INTERVAL_MS = 5000;
/** Compiling takes minutes. */
const BUILD_INTERVAL_MS = 30_000;
/** Several loaders on many kernels take minutes, too. */
const CELLS_INTERVAL_MS = 30_000;
const FRAME_INTERVAL_MS = 120;

/** A live frame on a terminal; elsewhere a line for each thing worth knowing. */
export function createProgressView(stream: NodeJS.WriteStream): ProgressView {
  return stream.isTTY === true && process.env.TERM !== 'dumb' && process.env.CI === undefined
    ? liveView(stream)
    : lineView(stream);
}

function lineView(stream: NodeJS.WriteStream): ProgressView {
  const paint = paintFor(stream);
  const lastShown = new Map<string, number>();
  let cellsStarted = 0;
  let cellsShown = 0;
  let held: string[] | undefined;
  const print = (text: string): void => {
    if (held === undefined) stream.write(`${text}\n`);
    else held.push(text);
  };
  return {
    hold: () => {
      held = [];
      return () => {
        const waiting = held ?? [];
        held = undefined;
        for (const text of waiting) print(text);
      };
    },
    show: (event) => {
      if (event.kind === 'kernel-progress') {
        const { kernel, phase, bytes, totalBytes } = event.progress;
        // The start and the end of each phase are always worth a line.
        const ended = phase === 'download' && bytes === totalBytes;
        const key = `${kernel} ${phase}${ended ? ' ended' : ''}`;
        const now = performance.now();
        const interval = phase === 'build' ? BUILD_INTERVAL_MS : LINE_INTERVAL_MS;
        if (now - (lastShown.get(key) ?? Number.NEGATIVE_INFINITY) < interval) return;
        lastShown.set(key, now);
        print(describeProgress(event.progress));
        return;
      }
      // Restored machines are many and quick; in a log only boots are worth a line.
      if (event.kind === 'ready' && event.beginning === 'restored') return;
      if (event.kind === 'phase' && event.phase === 'cells') cellsStarted = cellsShown = performance.now();
      if (event.kind === 'cell' && !RED_VERDICTS.has(event.cell.verdict) && event.done !== event.total) {
        const now = performance.now();
        if (now - cellsShown < CELLS_INTERVAL_MS) return;
        cellsShown = now;
        print(`cells: ${event.done} of ${event.total} after ${seconds(now - cellsStarted)}`);
        return;
      }
      const text = describeEvent(event);
      if (text !== undefined) print(event.kind === 'cell' ? paintVerdict(event.cell.verdict, text, paint) : text);
    },
    end: () => undefined,
  };
}

function liveView(stream: NodeJS.WriteStream): ProgressView {
  const paint = paintFor(stream);
  const update = createLogUpdate(stream);
  const running = new Map<string, string>();
  let phase = '';
  let phaseStarted = performance.now();
  let held: string[] | undefined;
  const render = (): void => {
    if (held !== undefined) return;
    const head = `${phase} (${seconds(performance.now() - phaseStarted)})`;
    update([paint.strong(head), ...[...running.values()].map((line) => `  ${line}`)].join('\n'));
  };
  const timer = setInterval(render, FRAME_INTERVAL_MS);
  timer.unref();
  const keep = (text: string): void => {
    if (held !== undefined) {
      held.push(text);
      return;
    }
    update.clear();
    stream.write(`${text}\n`);
    render();
  };
  return {
    show: (event) => {
      switch (event.kind) {
        case 'phase':
          phase = `${event.phase}: ${event.detail}`;
          phaseStarted = performance.now();
          running.clear();
          break;
        case 'phase-end':
          keep(paint.dim(`${phase}: ${seconds(event.milliseconds)}`));
          break;
        case 'loader-progress':
          running.set('loaders', describeEvent(event) ?? '');
          break;
        case 'kernel-progress':
          running.set(event.progress.kernel, describeProgress(event.progress));
          break;
        case 'boot':
        case 'ready':
          running.set(event.kernel, describeEvent(event) ?? '');
          break;
        case 'cell':
          running.set(event.cell.kernel, describeEvent(event) ?? '');
          if (RED_VERDICTS.has(event.cell.verdict)) keep(paint.bad(describeEvent(event) ?? ''));
          break;
        case 'loader-built':
        case 'leftovers':
        case 'warning':
          keep(describeEvent(event) ?? '');
          break;
      }
    },
    hold: () => {
      update.clear();
      held = [];
      return () => {
        const waiting = held ?? [];
        held = undefined;
        for (const text of waiting) keep(text);
      };
    },
    end: () => {
      clearInterval(timer);
      update.clear();
      update.done();
    },
  };
}

function describeEvent(event: RunEvent): string | undefined {
  switch (event.kind) {
    case 'phase':
      return `${event.phase}: ${event.detail} …`;
    case 'phase-end':
      return `${event.phase}: took ${seconds(event.milliseconds)}`;
    case 'warning':
      return `note: ${showControls(event.text)}`;
    case 'boot':
      return `${event.kernel}: booting${event.boot === '' ? '' : ` with ${event.boot}`} …`;
    case 'ready':
      return `${event.kernel}: ${event.beginning} in ${seconds(event.readyMs)}`;
    case 'leftovers':
      // Names of what a program left behind, which it chose itself, are part of it.
      return `note: ${event.kernel}: a new machine after ${event.cell}: ${showControls(event.what.join('; '))}`;
    case 'cell': {
      const { cell } = event;
      return `${cell.kernel}: ${lookOf(cell.verdict)} ${cellName(cell.program, cell.variant)}${cell.loader === OUR_LOADER ? '' : ` with ${cell.loader}`} (${event.done} of ${event.total})`;
    }
    case 'loader-progress':
      return `loaders: ${showControls(event.text)}`;
    case 'loader-built': {
      const about = event.about === '' ? '' : ` (${showControls(event.about)})`;
      return `loaders: ${showControls(event.loader)} built in ${seconds(event.milliseconds)}${about}`;
    }
    case 'kernel-progress':
      return undefined;
  }
}

/** "6.12: download 12.3 of 35.0 MB, 8.1 MB/s". */
export function describeProgress(progress: KernelProgress): string {
  const { kernel, phase, bytes, totalBytes, bytesPerSecond, detail } = progress;
  if (detail !== undefined) return `${kernel}: ${detail}`;
  const total = totalBytes === null ? '' : ` of ${megabytes(totalBytes)}`;
  const amount = bytes === 0 && totalBytes === null ? '' : ` ${megabytes(bytes)}${total} MB`;
  const speed = bytesPerSecond > 0 ? `, ${megabytes(bytesPerSecond)} MB/s` : '';
  return `${kernel}: ${phase}${amount}${speed}`;
}

/** One decimal, SI megabytes. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
