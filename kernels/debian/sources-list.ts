import { parseStanza } from './package-list.ts';

/** One suite of one archive in apt's sources. */
export interface SourceEntry {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Path or fingerprint of the key, as it stands there; null if every trusted key counts. */
  readonly signedBy: string | null;
}

/**
 * The entries for binary packages in a sources file: stanzas (`.sources`) or one line each (`.list`), see sources.list(5).
 * Disabled stanzas, comments and entries that cannot be read are left out; apt itself complains about those.
 */
export function parseSources(text: string, stanzas: boolean): SourceEntry[] {
  return stanzas ? fromStanzas(text) : text.split('\n').flatMap(fromLine);
}

function fromStanzas(text: string): SourceEntry[] {
  return text.split(/\n[ \t]*\n/).flatMap((stanza) => {
    const fields = parseStanza(stanza);
    const words = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
    if (/^(no|false|without|off|disable)$/i.test(fields.get('enabled') ?? 'yes') || !words('types').includes('deb'))
      return [];
    const components = words('components');
    const signedBy = fields.get('signed-by')?.trim() || null;
    return words('uris').flatMap((uri) => words('suites').map((suite) => ({ uri, suite, components, signedBy })));
  });
}

function fromLine(line: string): SourceEntry[] {
  const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
  const [, options, uri, suite, components] = match ?? [];
  if (uri === undefined || suite === undefined || components === undefined) return [];
  const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options ?? '')?.[1] ?? null;
  return [{ uri, suite, components: components.trim().split(/\s+/), signedBy }];
}
