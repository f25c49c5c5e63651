/** What the command line's exit code says. */
export const EXIT = {
  /** Every cell is as expected. */
  ok: 0,
  /** A verdict is red. */
  red: 1,
  /** Wrong usage, or a configuration that is not understood. */
  usage: 2,
  /** The machine or the harness broke: QEMU, the network, a full disk, a defect. */
  broken: 3,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
