import type { AgentConnection } from '../../loader/agent/connection.ts';

/** Reads, right after a boot, what stays true of the machine as long as it is restored from that moment. */
export interface Observer {
  /** Changes whenever `observe` reads other things or writes them in another form: templates with other observations are not used. */
  readonly version: string;
  /** The observations by name; names are file names. Throws what the agent throws. */
  readonly observe: (agent: AgentConnection) => Promise<ReadonlyMap<string, Uint8Array>>;
}

/** What an {@link Observer} saw on the boot that a machine comes from. */
export interface Observations {
  /** The same for every machine of one template; another for every boot. */
  readonly key: string;
  /** An observation by its name. Throws Node's error if it cannot be read. */
  readonly read: (name: string) => Promise<Uint8Array>;
}

let boots = 0;

/** Observations of a machine that was booted and will not be saved. */
export async function observeNow(observer: Observer, agent: AgentConnection): Promise<Observations> {
  const seen = await observer.observe(agent);
  return {
    key: `boot-${++boots}`,
    read: async (name) => {
      const bytes = seen.get(name);
      if (bytes === undefined) throw new TypeError(`nothing named ${name} was observed`);
      return bytes;
    },
  };
}
