import { type ChildProcess, spawn } from 'node:child_process';
import { type Frame, FrameReader, FrameType } from '../protocol.ts';

/** An agent process at the level of frames, for tests that send what the client never would. */
export class AgentProcess {
  readonly child: ChildProcess;
  readonly frames: Frame[] = [];
  /** Exit status, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
  #waiting: (() => void)[] = [];
  #reader = new FrameReader();

  constructor(path: string, args: readonly string[] = []) {
    const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.child = child;
    child.stdout.on('data', (chunk: Uint8Array) => {
      this.frames.push(...(this.#reader.push(chunk) ?? []));
      this.#wake();
    });
    child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        resolve(signal ?? code ?? -1);
        this.#wake();
      });
    });
  }

  send(...frames: readonly Uint8Array[]): void {
    this.child.stdin?.write(Buffer.concat(frames));
  }

  end(): void {
    this.child.stdin?.end();
  }

  /** The last frame of the answer with this id. Rejects if the agent ends first. */
  async answer(id: number): Promise<Frame> {
    for (;;) {
      const frame = this.frames.find((candidate) => candidate.id === id && !isPart(candidate));
      if (frame !== undefined) return frame;
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`no answer ${id}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Code and text of an ERROR frame; null for any other. */
export function errorOf(frame: Frame): { code: number; text: string } | null {
  if (frame.type !== FrameType.error) return null;
  const view = new DataView(frame.payload.buffer, frame.payload.byteOffset);
  return { code: view.getUint32(0, true), text: new TextDecoder().decode(frame.payload.subarray(4)) };
}

function isPart(frame: Frame): boolean {
  return frame.type === FrameType.data || frame.type === FrameType.output;
}
