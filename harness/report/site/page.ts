import { comparedLoaders } from '../../results/disagreements.ts';
import { type Html, html, type Insert, join, markup } from './html.ts';
import { compatFile, resultsFile, type Site } from './site.ts';

/** A page of the site. */
export interface Page {
  /** Relative to the root of the site, with slashes. */
  readonly path: string;
  /** Of the page itself; the name of the run is put behind it. */
  readonly title: string;
  /** One sentence for search engines and previews. */
  readonly about: string;
  /** Which entry of the navigation it belongs to. */
  readonly section: Section;
  /** What the page says, without a frame. Addresses in it are relative to the page. */
  readonly body: Html;
}

/** The entries of the navigation. */
export type Section = 'grid' | 'loaders' | 'kernels' | 'changes' | 'history';

/** What of a page's address leads to the root of the site: empty, or `../`. */
export function rootOf(path: string): string {
  return '../'.repeat(path.split('/').length - 1);
}

/**
 * A whole page. Scripts and styles come from the site alone, which the policy says to the browser (Content Security Policy Level 3): markup that got
 * through by mistake could neither run nor fetch anything.
 */
export function renderPage(site: Site, { path, title, about, section, body }: Page): string {
  const root = rootOf(path);
  const name = siteName(site);
  return `${html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="${site.results.tool.name} ${site.results.tool.version}">
<meta name="description" content="${about}">
${
  site.baseUrl !== null &&
  html`<link rel="canonical" href="${site.baseUrl}/${path}">
`
}<link rel="icon" href="${ICON}">
<link rel="stylesheet" href="${root}assets/site.css">
<script src="${root}assets/site.js"></script>
<title>${title} · ${name}</title>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="bar"><div class="wide">
<a class="brand" href="${root}index.html">${markup(LOGO)}<span>${name}</span></a>
${navigation(site, root, section)}
<button type="button" id="theme" hidden></button>
</div></header>
<main id="main" class="wide">
${body}
</main>
${footer(site, root)}
`}`;
}

/** What the site is called: the title of the matrix, else the repository, else this tool. */
export function siteName({ results }: Pick<Site, 'results'>): string {
  return results.matrix.title ?? results.origin.repository ?? results.tool.name;
}

/** `2026-01-31 12:00 UTC` of a date as results have it, in an element that says it to machines too. */
export function dateOf(iso: string): Html {
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC</time>`;
}

/** A commit, linked where its repository is known to be. */
export function commitOf(origin: Site['results']['origin']): Html | null {
  const { commit, repository, modified } = origin;
  if (commit === null) return null;
  const short = html`<code>${commit.slice(0, 12)}</code>`;
  const server = serverOf(origin);
  const known = server !== null && repository !== null && /^[\w.-]+\/[\w.-]+$/.test(repository);
  const link =
    known && /^[0-9a-f]+$/.test(commit) ? html`<a href="${server}/${repository}/commit/${commit}">${short}</a>` : short;
  return html`${link}${modified === true && ' with changes'}`;
}

/** Where a repository is: on the server of the run's own address, which may be a company's; on GitHub if the run was none of Actions. */
function serverOf({ repository, url }: Site['results']['origin']): string | null {
  if (url === null) return 'https://github.com';
  const [, server = null] = /^(https?:\/\/[\w.:-]+)\//i.exec(url) ?? [];
  return url.startsWith(`${server}/${repository}/`) ? server : null;
}

/** A number with a noun, in the plural where it must be: `1 cell`, `2 cells`, `1,000 cells`. */
export function counted(number: number, noun: string, plural: string = `${noun}s`): string {
  return `${formatCount(number)} ${number === 1 ? noun : plural}`;
}

/** A number with commas between thousands, whatever the language of the machine. */
export function formatCount(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}

const POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; base-uri 'none'; form-action 'none'";

const LOGO =
  '<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M1 1h6v6H1zM9 9h6v6H9z" fill="currentColor"/><path d="M9.75 1.75h4.5v4.5h-4.5zM1.75 9.75h4.5v4.5h-4.5z" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>';

const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 1h6v6H1zM9 9h6v6H9z" fill="#1a7f37"/><path d="M9.75 1.75h4.5v4.5h-4.5zM1.75 9.75h4.5v4.5h-4.5z" fill="none" stroke="#1a7f37" stroke-width="1.5"/></svg>',
)}`;

function navigation({ comparison, results }: Site, root: string, current: Section): Html {
  const differing = comparison?.changes.length ?? 0;
  const entries: readonly (readonly [Section, string, string, Insert])[] = [
    ['grid', 'index.html', 'Grid', null],
    ...(comparedLoaders(results) !== undefined ? [['loaders', 'loaders.html', 'Loaders', null] as const] : []),
    ['kernels', 'kernels.html', 'Kernels', null],
    [
      'changes',
      'changes.html',
      'Changes',
      differing > 0 && html` <span class="count">${formatCount(differing)}</span>`,
    ],
    ['history', 'history.html', 'History', null],
  ];
  const links = entries.map(
    ([section, path, text, more]) =>
      html`<a href="${root}${path}"${section === current && markup(' aria-current="page"')}>${text}${more}</a>`,
  );
  return html`<nav aria-label="Pages">${join(links)}</nav>`;
}

function footer(site: Site, root: string): Html {
  const { results } = site;
  const { id, startedAt, tool, origin, host } = results;
  const files = [resultsFile(site), compatFile(site), 'badge.json'];
  const parts: readonly Insert[] = [
    html`Run <code>${id}</code>`,
    dateOf(startedAt),
    commitOf(origin),
    html`made by ${tool.name} ${tool.version}`,
    host.accelerator === 'kvm' ? 'accelerated by KVM' : 'emulated',
  ];
  return html`<footer><div class="wide">
<p>${join(
    parts.filter((part) => part !== null),
    markup(' <span class="dot">·</span> '),
  )}</p>
<p>The same in files: ${join(
    files.map((file) => html`<a href="${root}${file}">${file}</a>`),
    ', ',
  )}</p>
</div></footer>`;
}
