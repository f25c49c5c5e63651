/** Takes how far a download is and passes it on a few times a second, with its speed. */
export interface SpeedMeter {
  add(bytes: number): void;
  /** Passes on the last state. */
  end(bytes: number): void;
}

/** Measures over the last few seconds, so that a stall shows. @param start bytes that were there before */
export function speedMeter(onBytes: (bytes: number, bytesPerSecond: number) => void, start: number): SpeedMeter {
  let samples = [{ at: performance.now(), bytes: start }];
  let toldAt = 0;
  const tell = (bytes: number): void => {
    const now = performance.now();
    samples = [
      ...samples.filter(({ at }, index) => now - at < WINDOW_MS || index === samples.length - 1),
      { at: now, bytes },
    ];
    const [first] = samples;
    const seconds = (now - (first?.at ?? now)) / 1000;
    toldAt = now;
    onBytes(bytes, seconds > 0 ? Math.round((bytes - (first?.bytes ?? bytes)) / seconds) : 0);
  };
  return {
    add: (bytes) => {
      if (performance.now() - toldAt >= PERIOD_MS) tell(bytes);
    },
    end: tell,
  };
}

const WINDOW_MS = 5000;
const PERIOD_MS = 250;
