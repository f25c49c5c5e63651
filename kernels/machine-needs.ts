/** What a kernel lacks that every machine of the harness needs. */
export interface MissingNeed {
  /** Kconfig symbol, with `CONFIG_`. */
  readonly option: string;
  /** What it is needed for, and what is wrong with it. */
  readonly why: string;
}

/**
 * What a kernel lacks to become a machine of the harness (harness/vm/qemu-arguments.ts and init.sh): options that are off, and ones that are
 * modules where none of that name is there.
 *
 * @param config text of its configuration
 * @param modules names of the modules it comes with, as `virtio_pci`, `virtio-pci` or `virtio_pci.ko`; compressed ones count
 * @returns in the order in which a boot needs them; empty if nothing is missing
 */
export function missingNeeds(config: string, modules: Iterable<string>): MissingNeed[] {
  const settings = readConfig(config);
  const present = new Set([...modules].map(moduleName));
  const missing: MissingNeed[] = [];
  for (const { symbol, purpose, module } of NEEDS) {
    const option = `CONFIG_${symbol}`;
    const value = settings.get(symbol) ?? 'n';
    if (value === 'y') continue;
    if (value !== 'm' || module === undefined) {
      missing.push({
        option,
        why: `${purpose}; it is ${value === 'm' ? 'a module, which comes too late' : 'not set'}`,
      });
    } else if (!present.has(module)) {
      missing.push({ option, why: `${purpose}; it is a module, and ${module}.ko is not there` });
    }
  }
  return missing;
}

interface Need {
  readonly symbol: string;
  readonly purpose: string;
  /** Where it may be a module: that module's name. */
  readonly module?: string;
}

const NEEDS: readonly Need[] = [
  { symbol: 'X86_64', purpose: 'machines are 64-bit x86' },
  { symbol: 'PRINTK', purpose: "the kernel's messages are read" },
  { symbol: 'SERIAL_8250_CONSOLE', purpose: "the kernel's messages come over a serial port" },
  { symbol: 'PCI', purpose: 'the devices of a machine are on a PCI bus' },
  { symbol: 'BLK_DEV_INITRD', purpose: 'everything in a machine comes from an initramfs' },
  { symbol: 'BINFMT_ELF', purpose: 'the agent is an ELF program' },
  { symbol: 'BINFMT_SCRIPT', purpose: 'init is a shell script' },
  { symbol: 'PROC_FS', purpose: 'init mounts /proc' },
  { symbol: 'SYSFS', purpose: "init finds the agent's port in /sys" },
  { symbol: 'DEVTMPFS', purpose: "the agent's port appears in /dev" },
  { symbol: 'VIRTIO_PCI', purpose: 'the driver of virtio devices', module: 'virtio_pci' },
  {
    symbol: 'VIRTIO_CONSOLE',
    purpose: 'the agent is reached through a port of virtio-serial',
    module: 'virtio_console',
  },
  { symbol: 'BPF_SYSCALL', purpose: 'BPF programs are loaded' },
];

/** Values of a .config by symbol, without quotes; what is not set is left out. */
function readConfig(config: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [, symbol, value] of config.matchAll(/^CONFIG_(\w+)=(.*)$/gm)) {
    if (symbol !== undefined && value !== undefined) settings.set(symbol, value.trim().replace(/^"(.*)"$/, '$1'));
  }
  return settings;
}

/** A module's name as the kernel writes it: of its path, without suffixes, with `_` for `-`. */
function moduleName(file: string): string {
  return (file.split('/').at(-1) ?? file).replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_');
}
