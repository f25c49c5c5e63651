import { readFile } from 'node:fs/promises';
import { ExplainedError } from '../../loader/errors.ts';

/** Some options of a kernel's configuration, laid over those before it. */
export interface Fragment {
  /** For messages: a path, or the option itself where it stands in the matrix. */
  readonly name: string;
  /** In the format of a kernel's .config. */
  readonly text: string;
  /** Whether this project brought it. It is for many kernels, so an option that one of them lacks is only worth a warning. */
  readonly own: boolean;
}

/** An option that a fragment asks for. */
export interface WantedOption {
  /** With `CONFIG_`. */
  readonly name: string;
  /** As in .config: `y`, `m`, `n`, a number or a quoted text. */
  readonly value: string;
  readonly fragment: Fragment;
}

/** An option that is not what a fragment asked for. */
export interface Conflict {
  readonly wanted: WantedOption;
  /** `n` if .config does not have it. */
  readonly found: string;
}

/**
 * Reads one entry of `build.config`: the path of a file, or an option such as `CONFIG_KALLSYMS_ALL=n`.
 * @throws ExplainedError `config-fragment-missing`, `config-fragment-bad`
 */
export async function readFragment(entry: string, own = false): Promise<Fragment> {
  const isOption = /^CONFIG_\w+=/.test(entry);
  const text = isOption ? `${entry}\n` : await readText(entry);
  const fragment = { name: entry, text, own };
  optionsOf(fragment);
  return fragment;
}

async function readText(entry: string): Promise<string> {
  return readFile(entry, 'utf8').catch((cause: unknown) => {
    // An option without its CONFIG_ looks like a path.
    const [option] = /[A-Z][A-Z0-9_]*=[^/]*$/.exec(entry) ?? [];
    throw new ExplainedError('config-fragment-missing', 'a fragment of configuration cannot be read', {
      where: entry,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: `Name a file with lines such as CONFIG_KALLSYMS_ALL=n, or write such an option in its place${option === undefined ? '' : `: CONFIG_${option}`}.`,
      cause,
    });
  });
}

/** What the fragments ask for: of an option that is in several, or twice in one, the last counts. */
export function wantedOptions(fragments: readonly Fragment[]): WantedOption[] {
  const wanted = new Map<string, WantedOption>();
  for (const option of fragments.flatMap(optionsOf)) wanted.set(option.name, option);
  return [...wanted.values()];
}

/** Compares a finished .config with what the fragments asked for. An option that is not in it counts as `n`. */
export function findConflicts(fragments: readonly Fragment[], config: string): Conflict[] {
  const values = parseConfig(config);
  return wantedOptions(fragments)
    .map((wanted) => ({ wanted, found: values.get(wanted.name) ?? 'n' }))
    .filter(({ wanted, found }) => found !== wanted.value);
}

/** The options of a .config, by name; those that are not set are left out. */
export function parseConfig(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(CONFIG_\w+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, value);
  }
  return values;
}

/** kconfig passes over what it cannot read, so a slip of the pen would go unnoticed. */
function optionsOf(fragment: Fragment): WantedOption[] {
  return fragment.text.split('\n').flatMap((text, index) => {
    const line = text.trim();
    const [, unset] = /^# (CONFIG_\w+) is not set$/.exec(line) ?? [];
    if (unset !== undefined) return [{ name: unset, value: 'n', fragment }];
    if (line === '' || line.startsWith('#')) return [];
    const [, name, value] = /^(CONFIG_\w+)=(y|m|n|-?\d+|0x[\da-fA-F]+|".*")$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) return [{ name, value, fragment }];
    throw new ExplainedError('config-fragment-bad', `not an option: ${line}`, {
      where: fragment.name === line ? 'build.config' : `${fragment.name}:${index + 1}`,
      fix: 'Write CONFIG_NAME=y, =m, =n, a number or "text", or "# CONFIG_NAME is not set".',
    });
  });
}
