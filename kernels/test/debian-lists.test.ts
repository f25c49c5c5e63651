import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ExplainedError } from '../../loader/errors.ts';
import { cacheDirectory } from '../cache-directory.ts';
import { findMirror } from '../debian/mirror.ts';
import { type DebianPackage, scanPackages } from '../debian/package-list.ts';
import { isKernelPackage, KERNEL_PACKAGE_PREFIXES, newestOfEachLine, resolveLine } from '../debian/resolve.ts';
import { parseSources } from '../debian/sources-list.ts';
import { compareVersions, lineOf } from '../debian/version.ts';

t.test('versions are ordered as dpkg orders them', (t) => {
  // Real kernel versions, the edges that Debian Policy §5.6.12 names, and made-up ones from the alphabet that matters.
  const fixed = [
    '6.12.117-1',
    '6.12.117-1~deb12u1',
    '6.12.9-1',
    '7.3.4-1~bpo13+1',
    '5.10.262-1',
    '1:0',
    '0',
    '1.0~',
    '1.0~~',
    '1.0',
    '1.0-0',
    '1.0+b1',
    '1.0a',
    '1.00',
    '2.0-1-1',
  ];
  let seed = 20261122;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const alphabet = ['0', '1', '9', '10', '.', '+', '~', 'a', 'Z', '-'];
  const made = Array.from({ length: 20 }, () => {
    const text = Array.from({ length: random(6) }, () => alphabet[random(alphabet.length)]).join('');
    return `${random(3)}${text}`.replace(/-+$/, '');
  });
  const all = [...fixed, ...made];
  const pairs = all.flatMap((a) => all.map((b) => [a, b] as const));
  // One shell for all pairs: dpkg takes one pair a call.
  const script =
    'while read -r a b; do if dpkg --compare-versions "$a" lt "$b"; then echo -1; elif dpkg --compare-versions "$a" eq "$b"; then echo 0; else echo 1; fi; done';
  const oracle = spawnSync('sh', ['-c', script], {
    input: pairs
      .map((pair) => pair.join(' '))
      .join('\n')
      .concat('\n'),
    encoding: 'utf8',
  });
  const answers = oracle.stdout.trim().split('\n').map(Number);
  t.equal(answers.length, pairs.length, 'dpkg answered for every pair');
  const wrong = pairs.filter(([a, b], index) => Math.sign(compareVersions(a, b)) !== answers[index]);
  t.same(wrong, []);
  t.equal(lineOf('6.12.117-1'), '6.12');
  t.equal(lineOf('7.3.4-1~bpo13+1'), '7.3');
  t.equal(lineOf('unknown'), null);
  t.end();
});

const stanza = (name: string, version: string, more = ''): string =>
  `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\n${more}Description: Package: linux-image-9.9.9-amd64\n a line that goes on\nFilename: pool/${name}_${version}.deb\nSize: 1000\nSHA256: ${'ab'.repeat(32)}\n\n`;

const scan = (text: string, suite: string): DebianPackage[] =>
  scanPackages(Buffer.from(text), suite, KERNEL_PACKAGE_PREFIXES, isKernelPackage);

const code = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof ExplainedError ? error.code : 'other';
  }
  return 'none';
};

t.test('a line resolves to its newest signed image, in whichever suite that is', (t) => {
  const packages = [
    ...scan(
      stanza('linux-image-6.1-cloud-amd64', '6.1.999-1') +
        stanza('linux-image-6.1.0-50-cloud-amd64', '6.1.176-1') +
        stanza('linux-image-6.1.0-50-cloud-amd64-dbg', '6.1.999-1') +
        stanza('linux-image-6.1.0-50-cloud-amd64-unsigned', '6.1.999-1') +
        stanza('linux-image-cloud-amd64', '6.1.999-1'),
      'bookworm',
    ),
    ...scan(
      stanza('linux-image-6.1.0-9-cloud-amd64', '6.1.99-1') +
        stanza('linux-image-6.1.0-56-cloud-amd64', '6.1.192-2') +
        stanza('linux-image-6.1.0-56-amd64', '6.1.192-2') +
        stanza('linux-image-6.1.0-57-rt-amd64', '6.1.193-1') +
        stanza('linux-image-6.12.117+deb12-cloud-amd64', '6.12.117-1~deb12u1'),
      'bookworm-security',
    ),
    ...scan(stanza('linux-image-6.12.117+deb13-cloud-amd64', '6.12.117-1'), 'trixie-security'),
  ];
  const found = resolveLine(packages, { line: '6.1', flavour: 'cloud' });
  t.match(found, { release: '6.1.0-56-cloud-amd64', version: '6.1.192-2', suite: 'bookworm-security', split: false });
  t.equal(resolveLine(packages, { line: '6.1', flavour: 'generic' }).release, '6.1.0-56-amd64');
  t.equal(resolveLine(packages, { line: '6.1', flavour: 'rt' }).release, '6.1.0-57-rt-amd64');
  t.equal(resolveLine(packages, { line: '6.12', flavour: 'cloud' }).suite, 'trixie-security', '~deb12u1 is older');
  t.same(
    newestOfEachLine(packages, 'cloud').map((kernel) => kernel.line),
    ['6.12', '6.1'],
    '6.12 is above 6.1',
  );
  t.equal(resolveLine(packages, { line: 'newest', flavour: 'cloud' }).line, '6.12');
  t.equal(
    code(() => resolveLine(packages, { line: '4.19', flavour: 'cloud' })),
    'kernel-line-unknown',
  );
  t.end();
});

t.test('a split kernel resolves to its binary and base, with the modules apart', (t) => {
  const release = '7.3.4+deb13-cloud-amd64';
  const parts = ['binary', 'base', 'modules'].map((part) => `linux-${part}-${release}`);
  const depends = `Pre-Depends: linux-base (>= 4.17~)\nDepends: dracut | initramfs-tools, ${parts.map((part) => `${part} (= 7.3.4-1)`).join(', ')}\n`;
  const image = stanza(`linux-image-${release}`, '7.3.4-1', depends);
  const kernel = resolveLine(scan(image + parts.map((part) => stanza(part, '7.3.4-1')).join(''), 'x'), {
    line: '7.3',
    flavour: 'cloud',
  });
  t.same(
    kernel.packages.map((one) => one.name),
    parts.slice(0, 2),
  );
  t.equal(kernel.modules?.name, parts[2]);

  // trixie-backports keeps the signed packages of superseded lines, and not base and modules (seen with 6.19 to 7.1).
  const orphan = scan(image + stanza(parts[0] ?? '', '7.3.4-1'), 'x');
  t.match(resolveLine(orphan, { line: '7.3', flavour: 'cloud' }), { packages: { length: 1 }, modules: null });
  const generic = scan((image + stanza(parts[0] ?? '', '7.3.4-1')).replaceAll('-cloud-amd64', '-amd64'), 'x');
  t.equal(
    code(() => resolveLine(generic, { line: '7.3', flavour: 'generic' })),
    'kernel-line-unknown',
    'it could not reach its console',
  );
  t.equal(
    code(() => resolveLine(scan(image, 'x'), { line: '7.3', flavour: 'cloud' })),
    'kernel-line-unknown',
    'no binary',
  );
  t.end();
});

t.test('stanzas without a usable digest are left out', (t) => {
  const good = stanza('linux-image-6.1.0-1-cloud-amd64', '6.1.1-1');
  t.equal(scan(good, 'x').length, 1);
  t.equal(scan(good.replace(/SHA256: .*/, 'SHA256: short'), 'x').length, 0);
  t.equal(scan(good.replace(/SHA256: .*\n/, ''), 'x').length, 0);
  t.equal(scan(good.replace('Size: 1000', 'Size: -1'), 'x').length, 0);
  t.end();
});

t.test('sources are read in both of apt’s formats', (t) => {
  t.same(
    parseSources(
      '# deb http://no/debian x main\ndeb [arch=amd64 signed-by=/k.gpg] http://m.test/debian bookworm main contrib # why\ndeb-src http://m.test/debian bookworm main\n',
      false,
    ),
    [{ uri: 'http://m.test/debian', suite: 'bookworm', components: ['main', 'contrib'], signedBy: '/k.gpg' }],
  );
  const text =
    'Types: deb deb-src\nURIs: http://m.test/debian\nSuites: trixie\n trixie-updates\nComponents: main\n\nTypes: deb\nEnabled: no\nURIs: http://off.test/debian\nSuites: trixie\nComponents: main\n';
  t.same(
    parseSources(text, true).map(({ uri, suite }) => [uri, suite]),
    [
      ['http://m.test/debian', 'trixie'],
      ['http://m.test/debian', 'trixie-updates'],
    ],
  );
  t.end();
});

t.test('the mirror is found in the documented order', async (t) => {
  const root = t.testdir({});
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const find = (more: object = {}) => findMirror({ env: {}, root, ...more });
  await t.rejects(find(), { code: 'no-debian-mirror', fix: /debootstrap/ });

  put('usr/sbin/debootstrap', 'DEF_MIRROR="http://default.test/debian"\n');
  t.match(await find(), {
    main: 'http://default.test/debian',
    security: 'http://default.test/debian-security',
    from: /debootstrap/,
  });

  put('etc/os-release', 'ID=ubuntu\nID_LIKE=debian\n');
  put(
    'etc/apt/sources.list',
    'deb http://own.test/debian bookworm main\ndeb http://sec.test/elsewhere/debian-security bookworm-security main\n',
  );
  t.match(await find(), { main: 'http://default.test/debian' }, "another distribution's sources are not Debian's");

  put('etc/os-release', 'ID=debian\n');
  put(
    'etc/apt/sources.list.d/a.list',
    'deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.test/debian stable main\n',
  );
  t.match(await find(), {
    main: 'http://own.test/debian',
    security: 'http://sec.test/elsewhere/debian-security',
    from: /sources.list$/,
  });

  t.match(await find({ matrix: 'http://matrix.test/debian/' }), {
    main: 'http://matrix.test/debian',
    security: 'http://matrix.test/debian-security',
  });
  const env = { KSYM_MATRIX_DEBIAN_MIRROR: 'http://variable.test/debian' };
  t.match(await find({ matrix: 'http://matrix.test/debian', env }), { main: 'http://variable.test/debian' });
  t.match(
    await find({ option: 'file:/srv/archive', env }),
    { main: 'file:/srv/archive', security: null },
    'nothing to derive it from',
  );
  t.match(await find({ env: { ...env, KSYM_MATRIX_DEBIAN_SECURITY_MIRROR: 'http://s.test/x' } }), {
    security: 'http://s.test/x',
  });
  await t.rejects(find({ option: 'http://m.test/debian\nSigned-By: /tmp/x' }), { code: 'bad-debian-mirror' });
  await t.rejects(find({ option: 'm.test/debian' }), { code: 'bad-debian-mirror' });
});

t.test('the cache folder follows KSYM_MATRIX_CACHE, XDG_CACHE_HOME and the home folder', (t) => {
  const root = t.testdir({ file: '' });
  const env = { KSYM_MATRIX_CACHE: join(root, 'own'), XDG_CACHE_HOME: join(root, 'xdg'), HOME: root };
  t.equal(cacheDirectory(env), join(root, 'own'));
  // The signature that the cache directory tagging specification demands.
  t.match(readFileSync(join(root, 'own', 'CACHEDIR.TAG'), 'utf8'), /^Signature: 8a477f597d28d172789f06886806bc55/);
  t.equal(cacheDirectory({ ...env, KSYM_MATRIX_CACHE: undefined }), join(root, 'xdg', 'ksym-matrix'));
  t.equal(cacheDirectory({ HOME: root, XDG_CACHE_HOME: 'relative' }), join(root, '.cache', 'ksym-matrix'));
  // mkdir(2) answers ENOENT in /proc although /proc is there, which Node's recursive mkdir never gives up on.
  t.throws(() => cacheDirectory({ KSYM_MATRIX_CACHE: '/proc/ksym-matrix/cache' }), { code: 'cache-not-writable' });
  t.equal(
    code(() => cacheDirectory({ KSYM_MATRIX_CACHE: join(root, 'file', 'below') })),
    'cache-not-writable',
  );
  t.end();
});
