import { readFile } from 'node:fs/promises';
import { type Document, isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ExplainedError } from '../../loader/errors.ts';
import { issueInWords } from './issue-words.ts';
import { suggest } from './suggest.ts';

/** Something wrong with a configuration file; `explain()` gives every finding, each with its place. */
export class ConfigError extends ExplainedError {}
ConfigError.prototype.name = 'ConfigError';

/** One error with the findings of all. */
export function joinErrors(errors: readonly ConfigError[]): ConfigError {
  return new ConfigError('config-invalid', errors.map((error) => error.explain()).join('\n'));
}

type Path = readonly (string | number)[];

/** One finding in a YAML file. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  /** True if the key at `path` is what is wrong, not its value. */
  readonly atKey?: boolean;
}

/** A YAML file that follows its schema, and still knows where everything stands. */
export class YamlFile<T> {
  readonly path: string;
  readonly value: T;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(path: string, value: T, document: Document.Parsed, lines: LineCounter) {
    this.path = path;
    this.value = value;
    this.#document = document;
    this.#lines = lines;
  }

  /** An error that shows all findings as `file:line:column: message`, with the line itself. */
  error(findings: readonly Finding[]): ConfigError {
    return configError(this.path, this.#document, this.#lines, findings);
  }
}

/**
 * Reads a YAML file and checks it against a schema.
 * @throws ConfigError with file, line, column and, for a mistyped word, a suggestion
 */
export async function readYamlFile<S extends z.ZodType>(path: string, schema: S): Promise<YamlFile<z.infer<S>>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError('config-unreadable', 'the file cannot be read', {
      where: path,
      why: whyUnreadable(cause),
      fix: 'Name a file that exists and that you may read (a matrix: with --matrix FILE).',
      cause,
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  sources.set(document, text);
  const [syntaxError] = document.errors;
  if (syntaxError !== undefined) {
    const at = syntaxError.linePos?.[0];
    const where = at === undefined ? path : `${path}:${at.line}:${at.col}`;
    const [what = ''] = syntaxError.message.split('\n');
    throw new ConfigError('config-syntax', `this is not YAML: ${what.replace(/ at line \d+, column \d+:$/, '')}`, {
      where,
    });
  }
  const result = schema.safeParse(toValue(path, document));
  if (result.success) return new YamlFile(path, result.data, document, lines);
  throw configError(
    path,
    document,
    lines,
    result.error.issues.flatMap((issue) => toFindings(issue, schema, document)),
  );
}

/** Node's message for a file that is not there names it again. */
function whyUnreadable(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && cause.code === 'ENOENT' ? 'there is no such file' : cause.message;
}

/** The document as plain values; an alias whose anchor is not there comes to light only now. */
function toValue(path: string, document: Document.Parsed): unknown {
  if (document.contents === null)
    throw new ConfigError('config-invalid', 'the file is empty', { where: `${path}:1:1` });
  try {
    return document.toJS();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError('config-syntax', `this is not YAML: ${why}`, { where: path, cause });
  }
}

function toFindings(issue: z.core.$ZodIssue, schema: z.ZodType, document: Document.Parsed): Finding[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  const value: unknown = document.getIn(path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownWord(kindOf(key), key, known),
      atKey: true,
    }));
  }
  if (issue.code === 'invalid_union') {
    // The alternative that came furthest says most about what was meant.
    const [deepest] = issue.errors
      .map((issues) => issues.flatMap((inner) => toFindings(prefixed(inner, path), schema, document)))
      .filter((findings) => findings.length > 0)
      .sort((left, right) => depth(right) - depth(left));
    if (deepest !== undefined && depth(deepest) > path.length) return deepest;
    if (value === undefined) return [{ path, message: 'missing' }];
    const literals = issue.errors.flat().flatMap((inner) => (inner.code === 'invalid_value' ? inner.values : []));
    const isExplained = issue.message !== 'Invalid input';
    if (typeof value === 'string' && literals.length > 0) {
      const words = literals.map(String);
      if (!isExplained || suggest(value, words) !== undefined) {
        return [{ path, message: unknownWord('value', value, words) }];
      }
    }
    if (isExplained) return [{ path, message: issue.message }];
    return [{ path, message: 'none of the forms that are allowed here (see docs/matrix-yaml.md)' }];
  }
  if (value === undefined) return [{ path, message: 'missing' }];
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    return [{ path, message: unknownWord('value', value, issue.values.map(String)) }];
  }
  return [{ path, message: issueInWords(issue, value) ?? issue.message, atKey: issue.code === 'invalid_key' }];
}

/** A key with a dot is meant to be a fact. */
function kindOf(key: string): string {
  return key.includes('.') ? 'fact' : 'key';
}

function prefixed(issue: z.core.$ZodIssue, path: Path): z.core.$ZodIssue {
  return { ...issue, path: [...path, ...issue.path] };
}

function depth(findings: readonly Finding[]): number {
  return Math.max(...findings.map((finding) => finding.path.length));
}

/** More words than these are no help in a message. */
const MAX_LISTED = 30;
const LISTED_IN_DOCS: ReadonlySet<string> = new Set(['key', 'fact', 'value']);

/** "unknown key "sorce"", with the nearest known word or all of them. */
export function unknownWord(kind: string, word: string, known: readonly string[]): string {
  const near = suggest(word, known);
  const place = LISTED_IN_DOCS.has(kind)
    ? 'docs/matrix-yaml.md lists what is known'
    : `none of the ${known.length} there are`;
  const all = known.length > MAX_LISTED ? place : `known: ${known.join(', ')}`;
  const help = near !== undefined ? `did you mean "${near}"?` : all;
  return `unknown ${kind} "${word}"${known.length === 0 ? '' : ` (${help})`}`;
}

/** The keys that the schema allows at a path, for suggestions. */
function knownKeys(schema: unknown, path: Path): string[] {
  const inner = unwrap(schema);
  if (inner === undefined) return [];
  if (path.length > 0) {
    const [head, ...rest] = path;
    if ('options' in inner) return inner.options.flatMap((option) => knownKeys(option, path));
    if ('shape' in inner) return typeof head === 'string' ? knownKeys(inner.shape[head], rest) : [];
    if ('element' in inner) return knownKeys(inner.element, rest);
    return 'valueType' in inner ? knownKeys(inner.valueType, rest) : [];
  }
  if ('options' in inner) return inner.options.flatMap((option) => knownKeys(option, []));
  return 'shape' in inner ? Object.keys(inner.shape) : [];
}

type Unwrapped =
  | { shape: Record<string, unknown> }
  | { element: unknown }
  | { options: unknown[] }
  | { valueType: unknown };

function unwrap(schema: unknown): Unwrapped | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  if ('shape' in schema || 'element' in schema || 'options' in schema || 'valueType' in schema)
    return schema as Unwrapped;
  // A schema that transforms what it has read.
  if ('in' in schema) return unwrap(schema.in);
  return 'unwrap' in schema && typeof schema.unwrap === 'function' ? unwrap(schema.unwrap()) : undefined;
}

function configError(
  path: string,
  document: Document.Parsed,
  lines: LineCounter,
  findings: readonly Finding[],
): ConfigError {
  const texts = findings.map((finding) => {
    const offset = offsetOf(document, finding) ?? 0;
    const { line, col } = lines.linePos(offset);
    const start = lines.lineStarts[line - 1] ?? 0;
    const source = sourceLine(document, start);
    const pointer = source === '' ? '' : `\n    ${source}\n    ${' '.repeat(Math.max(0, col - 1))}^`;
    return `${path}:${line}:${col}: ${display(finding.path)}${finding.message}${pointer}`;
  });
  return new ConfigError('config-invalid', texts.join('\n'), {});
}

function display(path: Path): string {
  if (path.length === 0) return '';
  return `${path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('')}: `;
}

function sourceLine(document: Document.Parsed, start: number): string {
  return sources.get(document)?.slice(start).split('\n', 1)[0] ?? '';
}

/** The text each document was parsed from, for excerpts. */
const sources = new WeakMap<Document.Parsed, string>();

function offsetOf(document: Document.Parsed, finding: Finding): number | undefined {
  const { path } = finding;
  if (finding.atKey === true) {
    const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === path.at(-1));
      if (pair !== undefined && isScalar(pair.key)) return pair.key.range?.[0];
    }
  }
  // A missing key has no place of its own: the nearest node around it has.
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : (document.getIn(path.slice(0, length), true) as Node | undefined);
    const range = node?.range;
    if (range !== undefined && range !== null) return range[0];
  }
  return undefined;
}
