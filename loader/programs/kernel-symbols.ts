import type { Kallsyms } from '../resolve/kallsyms.ts';

/** Kernel symbols by address: `/proc/kallsyms`, sorted once. Hidden addresses (zero) are left out. */
export class KernelSymbols {
  readonly #kallsyms: Kallsyms;
  #names: Map<bigint, string> | undefined;

  constructor(kallsyms: Kallsyms) {
    this.#kallsyms = kallsyms;
  }

  /** The address of the first symbol of that name; undefined if there is none, or it is hidden. */
  addressOf(name: string): bigint | undefined {
    const address = this.#kallsyms.find(name)[0]?.address;
    return address === 0n ? undefined : address;
  }

  /** The symbol that starts at `address`: of several, the first that is listed. Undefined if none does. */
  nameAt(address: bigint): string | undefined {
    this.#names ??= byAddress(this.#kallsyms.bytes);
    return this.#names.get(address);
  }
}

function byAddress(bytes: Uint8Array): Map<bigint, string> {
  const names = new Map<bigint, string>();
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    const [address = '', , name = ''] = line.split(/[ \t]/, 3);
    if (name === '' || /^0*$/.test(address)) continue;
    const key = BigInt(`0x${address}`);
    if (!names.has(key)) names.set(key, name);
  }
  return names;
}
