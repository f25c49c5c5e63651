/** Time between two beats, in milliseconds. A longer one is a pause: the process was stopped, or kept from running. */
const BEAT_MS = 200;
/** Pauses that are remembered. */
const KEPT = 100;

interface Pause {
  /** By performance.now(). */
  readonly end: number;
  readonly milliseconds: number;
}

const pauses: Pause[] = [];
let lastBeat: number | undefined;

/**
 * Watches whether this process runs at all. A deadline says nothing of a machine if nobody was there to take its answer: the harness was
 * stopped (Ctrl-Z, a debugger), or its host had no time for it, while QEMU went on. Keeps no process alive.
 */
export function watchOwnPulse(): void {
  if (lastBeat !== undefined) return;
  lastBeat = performance.now();
  setInterval(beat, BEAT_MS).unref();
}

/** The longest time, in milliseconds, that this process did not run at a stretch, of those that ended in the last `within` milliseconds. */
export function longestPause(within: number): number {
  beat();
  const since = performance.now() - within;
  return Math.max(0, ...pauses.filter(({ end }) => end >= since).map(({ milliseconds }) => milliseconds));
}

function beat(): void {
  const now = performance.now();
  const late = now - (lastBeat ?? now) - BEAT_MS;
  lastBeat = now;
  if (late < BEAT_MS) return;
  pauses.push({ end: now, milliseconds: late });
  if (pauses.length > KEPT) pauses.shift();
}
