import type { AgentConnection } from '../agent/connection.ts';
import { ExplainedError } from '../errors.ts';
import { closeAll } from './bpf.ts';

/**
 * A descriptor of the agent that belongs to one object of the loader. Once it is closed it is not given any more: the kernel may
 * have handed out the same number again, and then it is another map or program that would be read or changed.
 */
export class OwnedDescriptor {
  readonly #agent: AgentConnection;
  readonly #fd: number;
  readonly #owner: string;
  #closed = false;

  /** `owner` is for messages: `map counts`. */
  constructor(agent: AgentConnection, fd: number, owner: string) {
    this.#agent = agent;
    this.#fd = fd;
    this.#owner = owner;
  }

  /** Throws ExplainedError `closed` after {@link OwnedDescriptor.close}. */
  get fd(): number {
    if (!this.#closed) return this.#fd;
    throw new ExplainedError('closed', 'it was closed and cannot be used any more', {
      where: this.#owner,
      why: 'its descriptor is gone',
      fix: 'close it, or leave its `await using` block, when nothing needs it any more; what is pinned can be opened again',
    });
  }

  /** Closes it; a second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await closeAll(this.#agent, [this.#fd]);
  }
}
