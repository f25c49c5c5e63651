import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentConnection, SyscallBuffer, SyscallResult } from '../../loader/agent/connection.ts';
import { describeErrno } from '../../loader/agent/errno.ts';
import { type SyscallName, syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { readKernelBtfNames } from '../../loader/facts/module-btf.ts';
import type { GuestFile } from '../guest/guest-file.ts';
import type { GuestPlace } from '../guest/guest-place.ts';
import { pushFiles } from '../guest/transfer.ts';
import type { LoaderProgram } from './prepared-loader.ts';

/** Where everything lies in the guest that loaders are run with. */
const FOLDER = '/run/ksym-matrix';

/** The path of the object that is loaded, for every cell the same: libbpf names its maps after it. */
export const OBJECT_PATH = `${FOLDER}/object.bpf.o`;
/** Where the observer writes. */
export const RECORD_PATH = `${FOLDER}/record`;
/** Where the observer lies. */
export const OBSERVER_PATH = `${FOLDER}/observer`;

/** open(2), include/uapi/asm-generic/fcntl.h: O_WRONLY, O_CREAT, O_TRUNC. */
const O_WRITE_NEW = 0o1 | 0o100 | 0o1000;
const AT_FDCWD = -100;
/** What fits into a request beside its head, whatever the agent's longest frame is. */
const CHUNK = 1 << 20;
const MORE_MEMORY = "the guest's files lie in its memory: give it more with `machine: {memory: …}`";
/** include/uapi/asm-generic/errno-base.h: ENOMEM, ENOSPC. */
const OUT_OF_SPACE: ReadonlySet<number> = new Set([12, 28]);
/** prctl(2): processes whose parents end become this one's children (include/uapi/linux/prctl.h). */
const PR_SET_CHILD_SUBREAPER = 36;
/** wait4(2): include/uapi/linux/wait.h. */
const [ANY_CHILD, WNOHANG, WALL] = [-1, 1, 0x4000_0000];
/** How often, and at what distance in milliseconds, it is looked whether a process that is ending has ended. */
const [MOST_LOOKS, LOOK_MS] = [25, 20];

/** The loaders that one machine has by now. It belongs to the machine: a new one has none. */
export class GuestLoaders {
  readonly #place: GuestPlace;
  readonly #observer: string;
  readonly #pushed = new Set<LoaderProgram>();
  #isReaper = false;
  #hasObserver = false;
  #btfNames: Promise<ReadonlyMap<number, string>> | undefined;

  /** @param observer the observer's path on this machine */
  constructor(place: GuestPlace, observer: string) {
    this.#place = place;
    this.#observer = observer;
  }

  /** The machine's agent. */
  get agent(): AgentConnection {
    return this.#place.agent;
  }

  /**
   * Puts a loader into the guest, and the observer before the first one, unless they are there.
   * @throws ExplainedError `guest-write-failed` if they do not fit; AgentError
   */
  async bring(program: LoaderProgram, argv0: string): Promise<void> {
    if (!this.#hasObserver) {
      await this.#call('prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
      this.#isReaper = true;
      await this.#push([
        { kind: 'folder', path: FOLDER },
        { kind: 'file', path: OBSERVER_PATH, source: this.#observer },
      ]);
      this.#hasObserver = true;
    }
    if (this.#pushed.has(program)) return;
    await this.#push(program.files);
    // A cache that only its owner may read is no reason for another user in the guest not to start it.
    await this.#call('fchmodat', AT_FDCWD, pathBuffer(argv0), 0o755);
    this.#pushed.add(program);
  }

  /** Writes the object that is to be loaded. Every time, as the loader before may have been anything and have written to it. */
  async writeObject(bytes: Uint8Array): Promise<void> {
    const opened = await this.#call('openat', AT_FDCWD, pathBuffer(OBJECT_PATH), O_WRITE_NEW, 0o644);
    if (opened.errno !== 0) throw notWritten(opened.errno);
    try {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + CHUNK);
        const written = await this.#call('write', opened.value, { bytes: part, direction: 'in' }, part.length);
        if (written.errno !== 0) throw notWritten(written.errno);
        at += written.value;
      }
    } finally {
      await this.#call('close', opened.value);
    }
  }

  /** A loader has removed what lay there: all of it is put there again before the next one. */
  forget(): void {
    this.#hasObserver = false;
    this.#pushed.clear();
  }

  /** Removes the observer's record, so that no later run is taken for this one. */
  async removeRecord(): Promise<void> {
    await this.#call('unlinkat', AT_FDCWD, pathBuffer(RECORD_PATH), 0);
  }

  /** The names of the BTF objects of the kernel and its modules, by id; read once. */
  btfNames(): Promise<ReadonlyMap<number, string>> {
    this.#btfNames ??= readKernelBtfNames(this.agent);
    return this.#btfNames;
  }

  /**
   * Whether a process of the last loader is still there. Those that are ending are given a moment: the observer takes all of them with it.
   * Processes whose parents are gone become the agent's children, as it asked for that.
   */
  async leftProcess(): Promise<boolean> {
    if (!this.#isReaper) return false;
    for (let patience = MOST_LOOKS; ; ) {
      const { value, errno } = await this.#call('wait4', ANY_CHILD, 0, WNOHANG | WALL, 0);
      if (errno !== 0) return false;
      if (value !== 0) continue;
      if (--patience <= 0) return true;
      await sleep(LOOK_MS);
    }
  }

  async #push(files: readonly GuestFile[]): Promise<void> {
    try {
      await pushFiles(this.#place, files);
    } catch (error) {
      if (!(error instanceof ExplainedError) || error.fix === undefined) throw error;
      // What is to be done about it is said for commands with another option.
      const { code, message, why = '', cause } = error;
      throw new ExplainedError(code, message, { why, fix: MORE_MEMORY, cause });
    }
  }

  #call(name: SyscallName, ...args: (number | SyscallBuffer)[]): Promise<SyscallResult> {
    return this.agent.syscall({ number: syscallNumber(this.agent.hello.machine, name), args });
  }
}

function notWritten(errno: number): ExplainedError {
  return new ExplainedError('guest-write-failed', 'the object cannot be put into the guest', {
    where: OBJECT_PATH,
    why: describeErrno(errno),
    ...(OUT_OF_SPACE.has(errno) ? { fix: MORE_MEMORY } : {}),
  });
}

function pathBuffer(path: string): SyscallBuffer {
  return { bytes: new TextEncoder().encode(`${path}\0`), direction: 'in' };
}
