/** Markup that is safe to write into a page. Only {@link html}, {@link attribute}, {@link join} and {@link markup} make it, so text never gets in unescaped. */
export class Html {
  readonly #markup: string;

  constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }
}

/** What may stand in a template: text and numbers are escaped, markup and lists of it are not; null and false leave nothing. */
export type Insert = string | number | Html | readonly Insert[] | null | false;

/** Template for markup. Values may stand in text and in quoted attributes; for unquoted ones there is {@link attribute}. */
export function html(strings: TemplateStringsArray, ...values: readonly Insert[]): Html {
  let text = strings[0] ?? '';
  for (const [index, value] of values.entries()) text += insert(value) + (strings[index + 1] ?? '');
  return new Html(text);
}

/** Markup that this project wrote itself, as it stands. Never for anything that comes from results. */
export function markup(own: string): Html {
  return new Html(own);
}

/**
 * ` name=value`, without quotes where HTML wants none ("Unquoted attribute value syntax" of the HTML standard), ` name` for true, and nothing
 * for null and false.
 */
export function attribute(name: string, value: string | number | boolean | null): Html {
  if (value === null || value === false) return NOTHING;
  if (value === true) return new Html(` ${name}`);
  const text = String(value);
  // A slash at the end of a tag would be read as part of it.
  return new Html(/^[\w.#~:+-][\w.#~:+/-]*(?<!\/)$/.test(text) ? ` ${name}=${text}` : ` ${name}="${escapeHtml(text)}"`);
}

/** Content as a link to an address that results name. Only the web is linked: an address may be a script (`javascript:`), too. */
export function webLink(url: string | null, content: Insert): Html {
  return url !== null && /^https?:\/\//i.test(url) ? html`<a href="${url}">${content}</a>` : html`${content}`;
}

/** Joins what {@link html} makes. */
export function join(items: readonly Insert[], separator: Insert = ''): Html {
  return new Html(items.map(insert).join(insert(separator)));
}

/**
 * Text for HTML, in elements and in quoted attributes. Control characters, which HTML forbids or which browsers drop, and those that turn the direction of
 * text around (Unicode TR 36, "Bidirectional Text Spoofing") are shown instead of being obeyed.
 */
export function escapeHtml(text: string): string {
  if (!SPECIAL.test(text)) return text;
  return text
    .replace(/\r\n/g, '\n')
    .replace(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '')
    .replace(CONTROL, (character) =>
      String.fromCharCode(0x2400 + (character === '\x7f' ? 0x21 : character.charCodeAt(0))),
    )
    .replace(
      TURNING,
      (character) => `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

const NOTHING = new Html('');

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;
const TURNING = /[\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const SPECIAL = /[&<>"'`\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

function insert(value: Insert): string {
  if (typeof value === 'string') return escapeHtml(value);
  if (value === null || value === false) return '';
  if (Array.isArray(value)) return value.map(insert).join('');
  return String(value);
}
