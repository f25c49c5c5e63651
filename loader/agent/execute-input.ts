import { setImmediate } from 'node:timers/promises';
import type { SendMore } from './frame-channel.ts';
import { FrameType, MAX_INPUT } from './protocol.ts';

/**
 * Feeds a program under way from a stream, in INPUT frames, until the stream or the program ends. Never rejects: a stream that
 * breaks ends the input there, as a pipe whose writer dies does.
 */
export async function feedInput(input: AsyncIterable<Uint8Array>, send: SendMore): Promise<void> {
  try {
    for await (const chunk of input) {
      for (let at = 0; at < chunk.length; at += MAX_INPUT) {
        if (!(await send(FrameType.input, chunk.subarray(at, at + MAX_INPUT)))) return;
        // A write that is done at once gives way to no event: a stream that is always ready would keep output, end and deadline from being seen.
        await setImmediate();
      }
    }
  } catch {
    // The end that follows is all that can be told to the program.
  }
  await send(FrameType.input, new Uint8Array());
}
