import { readFile } from 'node:fs/promises';
import type { GuestState } from './guest-observer.ts';
import type { FoundModules } from './module-files.ts';
import type { Outcome } from './outcome.ts';

/**
 * Why cells that want modules cannot run on a machine: the kernel has none of that name, or did not load it. Null if all are there.
 * @param bootLog console log of the boot that the machine comes from, for the kernel's own words
 */
export async function describeModules(
  { files, missing }: FoundModules,
  state: GuestState,
  bootLog: string,
): Promise<Outcome | null> {
  if (missing.length > 0) {
    const message = `the kernel has no module ${missing.join(', ')}: modules.dep and modules.builtin do not list it`;
    return { phase: 'boot', class: 'module-missing', message, resolutions: [] };
  }
  const loaded = new Set(state.baseline.modules.split(' '));
  const refused = files.find(({ name }) => !loaded.has(name));
  if (refused === undefined) return null;
  const words = wordsAbout(refused.name, await readFile(bootLog, 'utf8').catch(() => ''));
  const message = `the kernel did not load the module ${refused.name}${words === '' ? '' : `: ${words}`}`;
  return { phase: 'boot', class: 'module-load-failed', message, resolutions: [] };
}

/** What the console shows between the two lines that init.sh says about a module, with what insmod made of it. */
function wordsAbout(module: string, log: string): string {
  const lines = log.split(/\r?\n/).map((line) => line.replace(/^(?:\[[^\]]*\]\s*)+/, '').trim());
  const from = lines.indexOf(`ksym-matrix: loading module ${module}`);
  const to = lines.findIndex((line, index) => index > from && line.startsWith('ksym-matrix: '));
  if (from === -1) return '';
  const end = /^ksym-matrix: module \S+ was not loaded: (.*)$/.exec(lines[to] ?? '')?.[1] ?? '';
  return [...lines.slice(from + 1, to === -1 ? undefined : to), end].filter((line) => line !== '').join('; ');
}
