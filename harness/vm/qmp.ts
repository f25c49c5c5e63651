import { createConnection, type Socket } from 'node:net';
import { ExplainedError } from '../../loader/errors.ts';

/**
 * QEMU's machine protocol (docs/interop/qmp-spec.rst): JSON lines over a unix socket.
 */
export class QmpClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #nextId = 1;
  #partial = '';
  #ended: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new ExplainedError('qmp-closed', 'QEMU closed its control connection')));
  }

  /** Connects and leaves the negotiation mode. */
  static async connect(path: string): Promise<QmpClient> {
    const socket = await connectUnix(path);
    const client = new QmpClient(socket);
    await client.execute('qmp_capabilities');
    return client;
  }

  /** Runs a command and gives its `return` value. */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() !== '') this.#dispatch(JSON.parse(line));
    }
  }

  #dispatch(message: { id?: number; return?: unknown; error?: { desc?: string } }): void {
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
    // Without a known id it is the greeting or an event.
    if (waiting === undefined || message.id === undefined) return;
    this.#waiting.delete(message.id);
    if (message.error === undefined) waiting.resolve(message.return);
    else waiting.reject(new ExplainedError('qmp-refused', 'QEMU refused a command', { why: message.error.desc ?? '' }));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}

/** Connects to a unix socket; rejects with Node's error (ENOENT, ECONNREFUSED) if nobody listens. */
export function connectUnix(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}
