import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** A module's exports that belong to the library's public API: names, or all that it has. */
type Wanted = Set<string> | 'all';

/**
 * Hash of everything that the public API's declarations and docstrings are made of: the declaration files that the library's index leads to. The
 * pages in docs/api carry it, so that a change without new pages shows.
 *
 * @param folder The compiled library, with index.d.ts
 */
export function apiDigest(folder: string): string {
  const hash = createHash('sha256');
  for (const path of [...declarationFiles(folder)].sort()) {
    hash.update(`${relative(folder, path)}\n`).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}

/** The marker that stands at the end of docs/api/README.md. */
export function digestMarker(digest: string): string {
  return `<!-- public API ${digest} -->`;
}

/**
 * What of the public API has no docstring: exported declarations, and the methods and accessors of exported classes and interfaces, each as
 * `file: name`. Methods with a well-known symbol for a name say by it what they do, and constructors have their class's docstring.
 *
 * @param folder The compiled library, with index.d.ts
 */
export function undocumented(folder: string): string[] {
  const wanted = new Map<string, Wanted>();
  collect(join(folder, 'index.d.ts'), 'all', wanted);
  return [...wanted].flatMap(([path, names]) =>
    withoutDocstring(readFileSync(path, 'utf8'), names).map((name) => `${relative(folder, path)}: ${name}`),
  );
}

/** What of a declaration file, as tsc writes it, has no docstring. */
export function withoutDocstring(text: string, names: ReadonlySet<string> | 'all' = 'all'): string[] {
  const missing: string[] = [];
  let holder: string | undefined;
  let documented = false;
  for (const line of text.split('\n')) {
    const top = DECLARATION.exec(line);
    const member = holder === undefined ? null : METHOD.exec(line);
    if (top !== null) {
      const name = top[2] ?? '';
      const included = names === 'all' || names.has(name);
      if (included && !documented) missing.push(name);
      holder = included && /^(abstract )?class|^interface/.test(top[1] ?? '') ? name : undefined;
    } else if (line === '}') {
      holder = undefined;
    } else if (member !== null && !documented && member[1] !== 'constructor') {
      missing.push(`${holder}.${member[1]}`);
    }
    documented = line.trimEnd().endsWith('*/');
  }
  return missing;
}

const DECLARATION = /^export (?:declare )?((?:abstract )?class|interface|function|type|const) (\w+)/;

/** A method, an accessor, or a property that is a function: four spaces, modifiers, a name, and a parenthesis. Private ones have no types. */
const METHOD = /^ {4}(?!private )(?:static |readonly |async |get |set |abstract )*(\w+)\??(?:<.*>)?(?:\(|: \()/;

/** Adds what a module exports, and what it passes on from others. */
function collect(path: string, names: Wanted, wanted: Map<string, Wanted>): void {
  const before = wanted.get(path);
  if (before === 'all') return;
  wanted.set(path, names === 'all' || before === undefined ? names : new Set([...before, ...names]));
  for (const match of readFileSync(path, 'utf8').matchAll(REEXPORT)) {
    const from = declarationOf(path, match[3] ?? '');
    const listed = match[2]?.split(',').map((one) => one.trim().replace(/^type /, ''));
    const passedOn = (listed ?? [])
      .map((one) => one.split(' as '))
      .filter(([name = '', alias = name]) => names === 'all' || names.has(alias));
    if (match[2] === undefined) collect(from, names, wanted);
    else if (passedOn.length > 0) collect(from, new Set(passedOn.map(([name = '']) => name)), wanted);
  }
}

/** `export { a, type B } from './x.ts'`, `export type * from './x.ts'`, `export * as x from './x.ts'`. */
const REEXPORT = /^export (?:type )?(\*(?: as \w+)?|\{([^}]*)\}) from '([^']+)'/gm;

/** Every declaration file that the index leads to, by imports as well: docstrings of types are inherited from there. */
function declarationFiles(folder: string): Set<string> {
  const found = new Set<string>();
  const follow = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    for (const [, specifier = ''] of readFileSync(path, 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
      follow(declarationOf(path, specifier));
    }
  };
  follow(join(folder, 'index.d.ts'));
  return found;
}

function declarationOf(importer: string, specifier: string): string {
  return join(dirname(importer), specifier.replace(/\.[jt]s$/, '.d.ts'));
}
