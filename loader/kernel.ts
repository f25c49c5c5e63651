import { machine } from 'node:os';
import { type LocalAgentOptions, startLocalAgent } from './agent/child.ts';
import type { AgentConnection } from './agent/connection.ts';
import { findAgent } from './agent/find.ts';
import { type SshOptions, startSshAgent } from './agent/ssh.ts';
import { FactReader } from './facts/fact-reader.ts';
import type { KnownFacts } from './facts/kernel-facts.ts';
import { Features } from './features/features.ts';
import type { Link } from './links/link.ts';
import { type LoadOptions, loadObject } from './load/load.ts';
import type { LoadedObject } from './load/loaded-object.ts';
import { openLink, openMap, openProgram } from './load/open-existing.ts';
import type { LoadedMap } from './maps/loaded-map.ts';
import type { ObjectContent } from './object/spec.ts';
import type { LoadedProgram } from './programs/loaded-program.ts';
import type { KernelFacts } from './resolve/outcome.ts';

/** How {@link Kernel.local} starts its agent. */
export interface LocalKernelOptions extends LocalAgentOptions {
  /** The agent's binary; the one that comes with the package, or one built with clang, if absent. */
  readonly agentPath?: string;
}

/**
 * A kernel to load into: this machine's, another's over ssh, or that of any agent, such as one in a virtual machine.
 *
 * ```ts
 * await using kernel = await Kernel.local();
 * await using object = await kernel.load(await ObjectSpec.open('program.bpf.o'));
 * ```
 */
export class Kernel implements AsyncDisposable {
  /** The connection that everything goes through. */
  readonly agent: AgentConnection;
  /** What it can do, found out by trying. */
  readonly features: Features;
  readonly #known: KnownFacts;
  #reader: FactReader;

  private constructor(agent: AgentConnection, known: KnownFacts) {
    this.agent = agent;
    this.#known = known;
    this.#reader = new FactReader(agent, known);
    this.features = new Features(agent, () => this.#reader);
  }

  /** The kernel of this machine. Needs root, or CAP_BPF and what the programs ask for. Throws AgentError, ExplainedError `agent-…`. */
  static async local(options: LocalKernelOptions = {}): Promise<Kernel> {
    return Kernel.over(await startLocalAgent(options.agentPath ?? (await findAgent(machine())), options));
  }

  /** The kernel of another machine, by the ssh program: nothing needs to be installed there. Throws as {@link startSshAgent}. */
  static async ssh(destination: string, options: SshOptions = {}): Promise<Kernel> {
    return Kernel.over(await startSshAgent(destination, options));
  }

  /** The kernel of the machine where an agent runs. {@link Kernel.close} ends the agent's connection. */
  static over(agent: AgentConnection, known: KnownFacts = {}): Kernel {
    return new Kernel(agent, known);
  }

  /** As in `uname -r`. */
  get release(): string {
    return this.agent.hello.release;
  }

  /** All that resolving may need to know about it; read once, see {@link Kernel.forget}. Throws AgentError, FormatError. */
  facts(): Promise<KernelFacts> {
    return this.#reader.all();
  }

  /** What resolving and loading one object needs to know, which mostly is far less than {@link Kernel.facts}. Throws AgentError, FormatError. */
  factsFor(spec: ObjectContent): Promise<KernelFacts> {
    return this.#reader.factsFor(spec);
  }

  /** Forgets the facts, to have them read again: after a module was loaded, say. */
  forget(): void {
    this.#reader = new FactReader(this.agent, this.#known);
  }

  /** Loads an object. Throws as {@link loadObject}. */
  async load(spec: ObjectContent, options: Omit<LoadOptions, 'agent' | 'facts'> = {}): Promise<LoadedObject> {
    return loadObject(spec, { ...options, agent: this.agent, facts: await this.factsFor(spec) });
  }

  /** Opens a map that is pinned at a path. Throws as {@link openMap}. */
  openPinnedMap(path: string): Promise<LoadedMap> {
    return openMap(this.agent, { path });
  }

  /** Opens a program that is pinned at a path. Throws as {@link openProgram}. */
  openPinnedProgram(path: string): Promise<LoadedProgram> {
    return openProgram(this.agent, { path });
  }

  /** Opens a link that is pinned at a path. Throws as {@link openLink}. */
  openPinnedLink(path: string): Promise<Link> {
    return openLink(this.agent, { path });
  }

  /** Opens a map by its id (CAP_SYS_ADMIN). Throws as {@link openMap}. */
  openMapById(id: number): Promise<LoadedMap> {
    return openMap(this.agent, { id });
  }

  /** Opens a program by its id (CAP_SYS_ADMIN). Throws as {@link openProgram}. */
  openProgramById(id: number): Promise<LoadedProgram> {
    return openProgram(this.agent, { id });
  }

  /** Opens a link by its id (CAP_SYS_ADMIN, Linux 5.8). Throws as {@link openLink}. */
  openLinkById(id: number): Promise<Link> {
    return openLink(this.agent, { id });
  }

  /** Ends the agent's connection. What was loaded through it goes, unless it is pinned. */
  async close(): Promise<void> {
    await this.agent.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
