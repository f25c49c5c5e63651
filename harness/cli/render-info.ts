import { formatBytes } from '../report/bytes.ts';
import type { Paint } from '../report/paint.ts';
import type { FactValues } from '../run/facts.ts';
import type { CachedInfo, KernelInfo } from './kernels-info.ts';

/** What is known of a kernel, for people. */
export function renderInfo(info: KernelInfo, paint: Paint): string {
  const { name, version, origin, release, flavour, packages, cached, lastBoot } = info;
  const lines = [
    paint.strong(`${name}: Linux ${version}`),
    row('from', `${origin}${flavour === null ? '' : `, flavour ${flavour}`}`),
    ...(release === null ? [] : [row('release', release)]),
    ...packages.map((one, index) =>
      row(
        index === 0 ? 'made from' : '',
        `${one.name} ${one.version}`.trim() + (one.sha256 === null ? '' : `\n${INDENT}sha256 ${one.sha256}`),
      ),
    ),
    ...(cached === null
      ? [row('cache', `not there: \`ksym-matrix kernels pull ${name}\` gets it`)]
      : describeCache(cached)),
  ];
  if (cached !== null && Object.keys(cached.config).length > 0) {
    lines.push('', paint.strong('Configuration'), ...describeConfig(cached.config));
  }
  lines.push('');
  if (lastBoot === null) {
    lines.push(`Its facts are not known yet: \`ksym-matrix kernels info ${name} --boot\` boots it and reads them.`);
  } else {
    const { when, parameters, from, facts } = lastBoot;
    const others = Object.fromEntries(Object.entries(facts).filter(([fact]) => !fact.startsWith('config.')));
    lines.push(
      paint.strong(`Facts of the boot of ${when.slice(0, 16).replace('T', ' ')}`),
      row('parameters', parameters === '' ? 'those of every machine' : parameters),
      row('told by', from),
      ...describeFacts(others),
    );
  }
  return `${lines.join('\n')}\n`;
}

const NAME_WIDTH = 12;
const INDENT = ' '.repeat(NAME_WIDTH + 2);

function row(name: string, text: string): string {
  return `  ${name.padEnd(NAME_WIDTH)}${text}`;
}

function describeCache({ directory, image, modules, disk, savedMachines }: CachedInfo): string[] {
  const wanted = modules.wanted.filter((module) => !modules.lacking.includes(module));
  const asked = [
    ...(wanted.length === 0 ? [] : [`${wanted.join(', ')} on request`]),
    ...(modules.lacking.length === 0 ? [] : [`it has no ${modules.lacking.join(', ')}`]),
  ];
  const notes = asked.length === 0 ? '' : ` (${asked.join('; ')})`;
  const machines = disk.machines === 0 ? '' : `, machines ${formatBytes(disk.machines)} (${savedMachines} saved)`;
  return [
    row('image', image.path),
    row('', `sha256 ${image.sha256}`),
    row('', `${image.format}${image.payload === null ? '' : `, compressed with ${image.payload}`}`),
    ...(image.text === '' ? [] : [row('built', image.text)]),
    row('modules', `${modules.known} known, ${modules.kept} kept${notes}`),
    row('cache', `${directory}: ${formatBytes(disk.kernel)}, packages ${formatBytes(disk.downloads)}${machines}`),
  ];
}

/** Options by their value, those with a value of their own last. */
function describeConfig(config: FactValues): string[] {
  const entries = Object.entries(config).map(
    ([name, value]) => [name.replace(/^config\./, ''), String(value)] as const,
  );
  const simple = ['y', 'm', 'n'].map((value) => ({
    title: `=${value}`,
    words: entries.filter(([, own]) => own === value).map(([name]) => name),
  }));
  const others = entries.filter(([, value]) => !['y', 'm', 'n'].includes(value));
  return [
    ...simple.flatMap(({ title, words }) => (words.length === 0 ? [] : wrap(`  ${title}  `, words))),
    ...others.map(([name, value]) => `  ${name}=${value}`),
  ];
}

/** Words in lines of at most 100 characters, those after the first indented. */
function wrap(head: string, words: readonly string[]): string[] {
  const lines: string[] = [];
  let line = head;
  for (const word of words) {
    if (line.length + word.length > WIDTH) {
      lines.push(line.trimEnd());
      line = ' '.repeat(head.length);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

const WIDTH = 100;

function describeFacts(facts: FactValues): string[] {
  const entries = Object.entries(facts).map(([name, value]) => [name, String(value)] as const);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
}
