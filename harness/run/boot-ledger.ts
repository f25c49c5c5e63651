import type { BootResult } from '../results/results.ts';
import type { BootOrigin } from '../vm/machine-source.ts';
import type { BootGroup } from './select.ts';

/** What was booted, beside the kernel. */
type BootKind = Pick<BootGroup, 'boot' | 'cpus' | 'modules'>;

interface Entry extends Pick<BootResult, 'parameters' | 'cpus' | 'modules'> {
  readonly bootMs: number | null;
  readonly console: string;
  readonly when: BootResult['when'];
  readonly machine: string | null;
  readonly restoreTimes: number[];
}

/** Which boots the machines of a run come from. */
export class BootLedger {
  readonly #boots = new Map<string, Map<string, Entry>>();
  readonly #numbers = new Map<string, number>();
  readonly #places = new Map<string, number>();
  #failures = 0;

  /** A number for a boot of a kernel, from one up, that nobody else gets: machines come up at the same time. */
  next(kernel: string): number {
    const number = (this.#numbers.get(kernel) ?? 0) + 1;
    this.#numbers.set(kernel, number);
    return number;
  }

  /** Notes that a boot is needed, before anything is known of it but its key: logs of boots are kept at the same time, and any may be done first. */
  need(kernel: string, key: string): void {
    const id = `${kernel} ${key}`;
    if (!this.#places.has(id)) this.#places.set(id, this.#places.size);
  }

  /**
   * Records a machine.
   * @param key the same for every machine of one boot
   * @param console where the boot's console log is kept
   * @param restoreMs null if the machine was booted itself
   */
  add(
    kernel: string,
    kind: BootKind,
    boot: { readonly key: string; readonly origin: BootOrigin; readonly console: string },
    restoreMs: number | null,
  ): void {
    const boots = this.#boots.get(kernel) ?? new Map<string, Entry>();
    this.#boots.set(kernel, boots);
    this.need(kernel, boot.key);
    const { milliseconds, when } = boot.origin;
    const known = boots.get(boot.key);
    // A machine that was booted for itself has no template, and its key stands for nothing else.
    const machine = restoreMs === null ? null : boot.key;
    const { console } = boot;
    const entry = known ?? { ...describe(kind), bootMs: milliseconds, console, when, machine, restoreTimes: [] };
    boots.set(boot.key, entry);
    if (restoreMs !== null) entry.restoreTimes.push(restoreMs);
  }

  /** Records a boot that failed. */
  addFailure(kernel: string, kind: BootKind, console: string): void {
    const boots = this.#boots.get(kernel) ?? new Map<string, Entry>();
    this.#boots.set(kernel, boots);
    const key = `failed-${++this.#failures}`;
    this.need(kernel, key);
    boots.set(key, {
      ...describe(kind),
      bootMs: null,
      console,
      when: 'this-run',
      machine: null,
      restoreTimes: [],
    });
  }

  /** The boots of a kernel, in the order they were first needed. */
  of(kernel: string): BootResult[] {
    const place = (key: string): number => this.#places.get(`${kernel} ${key}`) ?? this.#places.size;
    const boots = [...(this.#boots.get(kernel) ?? [])].sort(([one], [other]) => place(one) - place(other));
    return boots.map(([, { restoreTimes, ...boot }]) => ({
      ...boot,
      restored: restoreTimes.length,
      restoreMs: median(restoreTimes),
    }));
  }
}

function describe({ boot, cpus, modules }: BootKind): Pick<BootResult, 'parameters' | 'cpus' | 'modules'> {
  return { parameters: boot, cpus, modules };
}

function median(numbers: readonly number[]): number | null {
  const sorted = [...numbers].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
