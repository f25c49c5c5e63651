import { spawnSync } from 'node:child_process';
import type { Socket } from 'node:net';
import { END_MARK_TAIL } from './shell-session.ts';

/** How a bridge ended. */
export type BridgeEnd =
  | { readonly kind: 'exited'; readonly exitCode: number }
  /** The user typed the escape. */
  | { readonly kind: 'escaped' }
  /** The guest's side is gone. */
  | { readonly kind: 'lost' }
  /** This side's input ended. */
  | { readonly kind: 'hung-up' };

/** Ctrl-], as telnet(1) has it. */
const ESCAPE = 0x1d;

/**
 * Joins this process's terminal with the guest's: bytes go both ways as they are, until the program in the guest ends, the guest is lost, or the user types
 * Ctrl-] . The terminal is in raw mode meanwhile and gets its old mode back, however this ends.
 * @param endMark what precedes the exit code in the guest's output; neither is shown
 */
export function bridgeTerminal(
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
  guest: Socket,
  endMark: Buffer,
): Promise<BridgeEnd> {
  return new Promise((resolve) => {
    let held = Buffer.alloc(0);
    const restore = (): void => {
      if (input.isTTY) input.setRawMode(false);
    };
    const end = (how: BridgeEnd): void => {
      input.off('data', onInput);
      input.off('end', onEnd);
      guest.off('data', onOutput);
      guest.off('close', onLost);
      process.off('exit', restore);
      restore();
      input.pause();
      guest.destroy();
      resolve(how);
    };
    const onInput = (chunk: Buffer): void => {
      const at = input.isTTY ? chunk.indexOf(ESCAPE) : -1;
      if (at === -1) guest.write(chunk);
      else end({ kind: 'escaped' });
    };
    const onEnd = (): void => end({ kind: 'hung-up' });
    const onLost = (): void => {
      output.write(held);
      end({ kind: 'lost' });
    };
    const onOutput = (chunk: Buffer): void => {
      const bytes = Buffer.concat([held, chunk]);
      const { show, keep, exitCode } = searchMark(bytes, endMark);
      if (show.length > 0) output.write(show);
      held = keep;
      if (exitCode !== null) end({ kind: 'exited', exitCode });
    };
    // A process that exits in the middle must not leave a terminal without echo behind.
    process.on('exit', restore);
    if (input.isTTY) makeRaw(input);
    input.on('data', onInput);
    input.on('end', onEnd);
    guest.on('data', onOutput);
    guest.on('close', onLost);
    guest.on('error', () => undefined);
    input.resume();
  });
}

/** Node's raw mode still writes \r\n for \n, which the guest's terminal has done already; leaving it brings everything back. */
function makeRaw(input: NodeJS.ReadStream): void {
  input.setRawMode(true);
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/** What of the output may be shown, what has to wait because a mark may begin in it, and the exit code if the mark is complete. */
export function searchMark(
  bytes: Buffer,
  mark: Buffer,
): { readonly show: Buffer; readonly keep: Buffer<ArrayBuffer>; readonly exitCode: number | null } {
  const at = bytes.indexOf(mark);
  if (at !== -1) {
    const rest = bytes.subarray(at + mark.length).toString('latin1');
    const tail = rest.indexOf(END_MARK_TAIL);
    const exitCode = tail === -1 ? null : Number(rest.slice(0, tail));
    return {
      show: bytes.subarray(0, at),
      keep: exitCode === null ? Buffer.from(bytes.subarray(at)) : Buffer.alloc(0),
      exitCode,
    };
  }
  for (let length = Math.min(mark.length - 1, bytes.length); length > 0; length--) {
    const start = bytes.length - length;
    if (bytes.subarray(start).equals(mark.subarray(0, length))) {
      return { show: bytes.subarray(0, start), keep: Buffer.from(bytes.subarray(start)), exitCode: null };
    }
  }
  return { show: bytes, keep: Buffer.alloc(0), exitCode: null };
}
