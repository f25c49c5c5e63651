import type { BootResult, KernelResult } from '../../results/results.ts';
import { VERDICTS } from '../../results/verdicts.ts';
import { isEndOfLife } from '../lifecycle.ts';
import { type Html, html, type Insert, join } from './html.ts';
import { kernelColumn } from './kernel-column.ts';
import { counted, type Page } from './page.ts';
import { kernelPage, type Site } from './site.ts';
import { countBadge } from './verdict-cell.ts';

/** The pages of all kernels. */
export function* kernelPages(site: Site): Generator<Page> {
  for (const [index, kernel] of site.kernels.entries()) yield renderKernelPage(site, kernel, index);
}

/** How many cells of a kernel have each verdict that occurs. */
export function kernelTotals(site: Site, kernel: string): Html {
  const counts = site.totalsOf(kernel);
  const badges = VERDICTS.flatMap((verdict) =>
    counts[verdict] === 0 ? [] : html`<li>${countBadge(verdict, counts[verdict])}`,
  );
  return html`<ul class="totals" aria-label="Cells by verdict">${badges.length === 0 ? html`<li class="soft">not run` : join(badges)}</ul>`;
}

function renderKernelPage(site: Site, kernel: KernelResult, index: number): Page {
  const { name, release, version, source, sha256, facts, flavour } = kernel;
  const about: (readonly [string, Insert])[] = [
    ['Release', html`<code>${release}</code>`],
    ['Version', html`<code>${version}</code>`],
    ['Source', source],
    ...(flavour === null ? [] : [['Flavour', flavour] as const]),
    ...(isEndOfLife(kernel, site.results.startedAt) === true ? [['Line', 'end of life'] as const] : []),
    ['vmlinuz', html`SHA256 <code class="digest">${sha256}</code>`],
  ];
  return {
    path: kernelPage(name),
    title: name,
    about: `Kernel ${release}, ${source}`,
    section: 'kernels',
    body: html`<p class="crumbs"><a href="../kernels.html">Kernels</a>${neighbours(site, index)}</p>
<h1>Kernel ${name}</h1>
${kernelTotals(site, name)}
<dl class="why wide-terms">${about.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
<h2>Programs</h2>
${kernelColumn(site, name)}
${bootTable(kernel.boots)}
<h2>Facts <span class="soft">${counted(Object.keys(facts).length, 'fact')} of its first boot</span></h2>
${factTables(facts)}`,
  };
}

function neighbours({ kernels }: Site, index: number): Html {
  const link = (kernel: KernelResult | undefined, text: (name: string) => string): Html | null =>
    kernel === undefined ? null : html`<a href="../${kernelPage(kernel.name)}">${text(kernel.name)}</a>`;
  return html`<span class="turn">${link(kernels[index - 1], (name) => `← ${name}`)} ${link(kernels[index + 1], (name) => `${name} →`)}</span>`;
}

function bootTable(boots: readonly BootResult[]): Html {
  if (boots.length === 0) return html`<h2>Boots</h2><p class="empty">It was not booted.</p>`;
  const rows = boots.map(
    ({ parameters, cpus, modules, bootMs, when, restored, restoreMs }) => html`
<tr><td>${parameters.length === 0 ? html`<span class="soft">none</span>` : html`<code>${parameters.join(' ')}</code>`}<td>${cpus ?? 'as all'}<td>${modules.length === 0 ? html`<span class="soft">none</span>` : html`<code>${modules.join(' ')}</code>`}<td>${bootMs === null ? html`<b>it did not come up</b>` : `${(bootMs / 1000).toFixed(1)} s`}<td>${when === 'earlier' ? 'in an earlier run' : 'in this run'}<td>${restored}${restoreMs !== null && html` <span class="soft">in ${Math.round(restoreMs)} ms each</span>`}`,
  );
  return html`<h2>Boots</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Boots"><table class="list"><thead><tr><th scope="col">Parameters<th scope="col">Processors<th scope="col">Modules<th scope="col">Booted in<th scope="col">When<th scope="col">Machines restored</thead><tbody>${join(rows)}</table></div>`;
}

/** What each prefix of facts is about, in the order they are shown. */
const PREFIXES: readonly (readonly [string, string])[] = [
  ['', 'This boot'],
  ['btf', 'BTF'],
  ['kallsyms', '/proc/kallsyms'],
  ['probe', 'What BPF programs may do here'],
  ['modules', 'Modules'],
  ['sysctl', 'Settings (sysctl)'],
  ['config', 'Configuration'],
];

function factTables(facts: KernelResult['facts']): Html {
  const names = Object.keys(facts);
  if (names.length === 0) return html`<p class="empty">None is known, because it did not boot.</p>`;
  const known = new Set(PREFIXES.map(([prefix]) => prefix));
  const prefixOf = (name: string): string => {
    const [prefix = '', ...rest] = name.split('.');
    return rest.length > 0 && known.has(prefix) ? prefix : '';
  };
  const tables = PREFIXES.map(([prefix, title]) => {
    const own = names.filter((name) => prefixOf(name) === prefix);
    if (own.length === 0) return null;
    const rows = own.map(
      (name) => html`
<tr><th scope=row>${prefix === '' ? name : name.slice(prefix.length + 1)}<td>${factValue(facts[name])}`,
    );
    return html`<section class="facts-of"><h3>${title}${prefix !== '' && html`<code>${prefix}.</code>`}</h3><table class="list"><tbody>${join(rows)}</table></section>`;
  });
  return html`<div class="columns">${join(tables)}</div>`;
}

function factValue(value: string | number | boolean | undefined): Html {
  if (value === true) return html`<span class="yes">yes</span>`;
  if (value === false) return html`<span class="soft">no</span>`;
  return html`${String(value)}`;
}
