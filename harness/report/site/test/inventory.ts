import type { Page } from 'playwright-core';

/** What a page leads to, and what can be led to in it. */
export interface Inventory {
  /** As they stand. */
  readonly links: readonly string[];
  readonly ids: readonly string[];
}

/** Reads the markup of pages as the browser understands it, without laying them out. */
export function readPages(page: Page, pages: readonly string[]): Promise<Inventory[]> {
  return page.evaluate(`${JSON.stringify(pages)}.map((text) => {
    const parsed = new DOMParser().parseFromString(text, 'text/html');
    return {
      links: [...parsed.querySelectorAll('a[href]')].map((link) => link.getAttribute('href')),
      ids: [...parsed.querySelectorAll('[id]')].map((element) => element.id),
    };
  })`);
}

/** Elements and attributes that no page of ours has: what would have come alive if text had been taken for markup. */
export function findAlive(page: Page): Promise<string[]> {
  return page.evaluate(`[
    ...[...document.querySelectorAll('*')].flatMap((element) => [
      ...(/^(img|iframe|object|embed|textarea|base|template)$/i.test(element.localName) ? [element.outerHTML.slice(0, 200)] : []),
      ...(element.localName === 'script' && !/assets\\/site\\.js$/.test(element.getAttribute('src') ?? '') ? ['script'] : []),
      ...[...element.attributes].filter(({ name }) => name.startsWith('on')).map(({ name }) => element.localName + ' ' + name),
      ...(/^\\s*(javascript|data|vbscript):/i.test(element.getAttribute('href') ?? '') && element.localName !== 'link' ? [element.outerHTML.slice(0, 200)] : []),
    ]),
    ...(window.__alive === undefined ? [] : ['a script was run: ' + window.__alive]),
    ...(/[\\u0000-\\u0008\\u000b-\\u001f\\u202a-\\u202e\\u2066-\\u2069\\u2028]/.test(document.documentElement.outerHTML) ? ['a character that is obeyed'] : []),
  ]`);
}
