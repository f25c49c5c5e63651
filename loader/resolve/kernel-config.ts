/** A kernel's configuration (`.config`): what each option was set to. */
export class KernelConfig {
  /** Where it was read from, for messages. */
  readonly source: string;
  readonly #values: ReadonlyMap<string, string>;

  private constructor(values: ReadonlyMap<string, string>, source: string) {
    this.#values = values;
    this.source = source;
  }

  /** Reads lines of the form `CONFIG_NAME=value`; all others are comments, and of two lines for one option the first counts. */
  static parse(text: string, source: string): KernelConfig {
    const values = new Map<string, string>();
    for (const line of text.split('\n')) {
      const separator = line.indexOf('=');
      if (separator === -1 || !line.startsWith('CONFIG_')) continue;
      const name = line.slice(0, separator);
      if (!values.has(name)) values.set(name, line.slice(separator + 1).trimEnd());
    }
    return new KernelConfig(values, source);
  }

  /** The text behind `CONFIG_NAME=`, quotes included; undefined if the option is not set. `name` with `CONFIG_`. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** How many options are set. */
  get size(): number {
    return this.#values.size;
  }
}
