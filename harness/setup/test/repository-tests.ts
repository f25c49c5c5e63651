import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { loadMatrix } from '../../config/load.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { brokenLinks } from './links.ts';

/** What holds for the files of the repository, and no compiler or linter looks at. */

interface Import {
  readonly to: string;
  /** It is gone once it is compiled. */
  readonly isType: boolean;
  /** It is read when the importing file is, not later. */
  readonly isStatic: boolean;
}

const SOURCES: ReadonlyMap<string, readonly Import[]> = new Map(
  ['loader', 'kernels', 'harness'].flatMap((folder) =>
    below(folder)
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
      .map((path) => [path, importsOf(path)] as const),
  ),
);

t.test('every test is run by one script, and every file of tests by a test', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const globs = ['test:fast', 'test:vm'].map((name) =>
    [...(scripts[name] ?? '').matchAll(/'build\/([^']+)\.js'/g)].map(([, glob = '']) => pattern(glob)),
  );
  t.ok(globs.every((some) => some.length > 0));
  const imported = new Set([...SOURCES.values()].flat().map(({ to }) => to));
  const wrong: string[] = [];
  for (const path of SOURCES.keys()) {
    const runs = globs.flat().filter((glob) => glob.test(path.replace(/\.ts$/, ''))).length;
    if (path.endsWith('.test.ts') ? runs !== 1 : runs !== 0) wrong.push(`${path}: ${runs} globs`);
    if (path.endsWith('-tests.ts') && !imported.has(path)) wrong.push(`${path}: no test imports it`);
  }
  t.same(wrong, []);
  t.end();
});

/** Which parts each part of the harness may know; all may know kernels/ and loader/. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  setup: [],
  actions: [],
  vm: ['setup'],
  guest: ['vm'],
  config: ['vm'],
  results: ['config'],
  loaders: ['config', 'guest', 'results', 'setup'],
  run: ['config', 'guest', 'loaders', 'results', 'vm'],
  report: ['config', 'results'],
  github: ['report', 'results'],
  bench: ['cli', 'config', 'report', 'results', 'run', 'setup', 'vm'],
  fuzz: [],
  'api-docs': [],
  'boot-kernel.ts': ['cli', 'guest', 'run'],
  corpus: ['cli', 'config', 'guest', 'report', 'results', 'vm'],
  cli: ['bench', 'config', 'corpus', 'fuzz', 'github', 'guest', 'loaders', 'report', 'results', 'run', 'setup', 'vm'],
};

/** What reports may know of a run beside its types: neither needs a machine. */
const KNOWN_TO_REPORTS = ['harness/run/fact-differences.ts', 'harness/run/loaders.ts'];

t.test('dependencies point one way', (t) => {
  const wrong: string[] = [];
  for (const [path, imports] of SOURCES) {
    if (path.includes('/test/')) continue;
    const [top, part = ''] = path.split('/');
    for (const { to, isType } of imports) {
      const [toTop, toPart = ''] = to.split('/');
      const isAllowed =
        toTop === top
          ? top !== 'harness' ||
            toPart === part ||
            toPart === 'package-root.ts' ||
            KNOWN[part]?.includes(toPart) === true ||
            (part === 'report' && toPart === 'run' && (isType || KNOWN_TO_REPORTS.includes(to)))
          : toTop === 'loader' || (top === 'harness' && toTop === 'kernels');
      if (!isAllowed) wrong.push(`${path} imports ${to}`);
    }
  }
  t.same(wrong, []);
  t.end();
});

t.test('nothing imports itself, by whatever way', (t) => {
  const done = new Set<string>();
  const circles: string[] = [];
  const follow = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(' → '));
    if (done.has(path)) return;
    done.add(path);
    for (const { to, isType, isStatic } of SOURCES.get(path) ?? []) if (isStatic && !isType) follow(to, [...way, path]);
  };
  for (const path of SOURCES.keys()) follow(path, []);
  t.same(circles, []);
  t.end();
});

t.test('imports lead to files that there are', (t) => {
  const wrong = [...SOURCES].flatMap(([path, imports]) =>
    imports.filter(({ to }) => !existsSync(join(PACKAGE_ROOT, to))).map(({ to }) => `${path}: ${to}`),
  );
  t.same(wrong, []);
  const all = [...SOURCES.values()].flat();
  t.ok(all.length > 1500 && all.some(({ isType }) => isType) && all.some(({ isStatic }) => !isStatic), 'all were seen');
  t.end();
});

t.test('links of the documentation lead somewhere', (t) => {
  const pages = ['README.md', ...below('docs').filter((path) => path.endsWith('.md'))];
  t.ok(pages.length > 8);
  const wrong = pages.flatMap((page) =>
    brokenLinks(read(page), page, (path) => {
      const file = join(PACKAGE_ROOT, path);
      if (!existsSync(file)) return undefined;
      return statSync(file).isDirectory() ? '' : read(path);
    }).map((link) => `${page}: ${link}`),
  );
  t.same(wrong, []);

  const text = '# A `title`, twice\n# A title, twice\n[a](#a-title-twice-1) [b](#b) [c](other.md#x) [d](none.md)\n';
  const other = (path: string): string | undefined => (path === 'docs/other.md' ? '## Y\n' : undefined);
  t.same(brokenLinks(text, 'docs/page.md', other), ['#b', 'other.md#x', 'none.md']);
  t.end();
});

t.test('the table of features names tests that there are, by their titles', (t) => {
  const named = [...read('docs/loader/features.md').matchAll(/\[([^\]]+)\]\(\.\.\/\.\.\/([^)]+\.ts)\)/g)];
  t.ok(named.length > 25);
  t.same(
    named.filter(([, title = '', path = '']) => !read(path).includes(title)).map(([link]) => link),
    [],
  );
  t.end();
});

t.test('the tables of loaders have a row for each loader of matrix.loaders.yaml', async (t) => {
  const { loaders } = await loadMatrix(join(PACKAGE_ROOT, 'matrix.loaders.yaml'));
  const names = loaders.map(({ name }) => name);
  for (const page of ['README.md', 'docs/ksym-support.md']) {
    const [, table = ''] = /<!-- support[^>]*-->([\s\S]*?)<!-- \/support -->/.exec(read(page)) ?? [];
    const rows = [...table.matchAll(/^\| (\S+) \| \d\S* \|/gm)].map(([, name]) => name);
    t.same(rows, names, page);
  }
  const [grid = ''] = /^\| program \|.*$/m.exec(read('docs/loaders-compared.md')) ?? [];
  t.same(
    grid
      .split('|')
      .map((cell) => cell.trim())
      .slice(2, -1),
    names,
    'docs/loaders-compared.md',
  );
});

function importsOf(path: string): Import[] {
  const text = read(path);
  const resolve = (to: string): string => normalize(join(dirname(path), to));
  const statements = text.matchAll(/^(?:import|export)\s(type\s)?([^'";]*?\bfrom\s)?'(\.\.?\/[^']+)';$/gm);
  const calls = text.matchAll(/\bimport\(\s*'(\.[^']+)'\s*\)/g);
  return [
    ...[...statements].map(([, type, names = '', to = '']) => ({
      to: resolve(to),
      isType: type !== undefined || /^\{(\s*type\s[^,]+,?)+\}\sfrom\s$/.test(names),
      isStatic: true,
    })),
    ...[...calls].map(([, to = '']) => ({ to: resolve(to), isType: false, isStatic: false })),
  ];
}

/** A glob of package.json as an expression for paths: those have `**`, `*`, `@(a|b)` and `!(*a)`. */
function pattern(glob: string): RegExp {
  const words: readonly (readonly [RegExp, string])[] = [
    [/^\*\*\//, '(?:[^/]+/)*'],
    [/^!\(\*([\w-]+)\)/, '(?:(?![^/.]*$1\\.)[^/]*)'],
    [/^@\(([\w|-]+)\)/, '(?:$1)'],
    [/^\*/, '[^/]*'],
    [/^[\w/-]+/, '$&'],
    [/^\./, '\\.'],
  ];
  let source = '';
  for (let rest = glob; rest !== ''; ) {
    const word = words.find(([form]) => form.test(rest));
    const matched = word?.[0].exec(rest)?.[0];
    if (word === undefined || matched === undefined) throw new TypeError(`no glob that is known here: ${rest}`);
    source += matched.replace(word[0], word[1]);
    rest = rest.slice(matched.length);
  }
  return new RegExp(`^${source}$`);
}

function below(folder: string): string[] {
  const entries = readdirSync(join(PACKAGE_ROOT, folder), { recursive: true, encoding: 'utf8' });
  return entries.map((path) => join(folder, path)).sort();
}

function read(path: string): string {
  return readFileSync(join(PACKAGE_ROOT, path), 'utf8');
}
