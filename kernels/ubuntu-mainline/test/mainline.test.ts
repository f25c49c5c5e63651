import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Handler, serve } from '../../http/test/server.ts';
import type { InstallContext, ResolveContext } from '../../kernel-source.ts';
import { makeDeb } from '../../test/archive.ts';
import { makeKey } from '../../test/openpgp.ts';
import { compareMainline } from '../archive-index.ts';
import { MainlineKernels } from '../kernels.ts';
import { MAINLINE_KEY } from '../signing-key.ts';

// An archive in a folder, served with pages as Apache makes them, signed with a key made here, read by the system's real gpgv and dpkg-deb.
const key = makeKey('Kernel PPA of the test <ppa@example.org>');
const stranger = makeKey('Somebody else <else@example.org>');

/** A page of Apache's mod_autoindex, below the words that the archive puts there. */
function page(root: string, path: string, words: string): string {
  const rows = readdirSync(join(root, path), { withFileTypes: true }).map((entry) => {
    const name = `${entry.name}${entry.isDirectory() ? '/' : ''}`;
    return `<tr><td valign="top"><img src="/icons/x.gif" alt="[   ]"></td><td><a href="${encodeURIComponent(entry.name)}${entry.isDirectory() ? '/' : ''}">${name.slice(0, 20)}..&gt;</a></td><td align="right">2024-08-11 12:59  </td><td align="right"> 12M</td></tr>`;
  });
  return `<html><head><title>Index of /mainline/${path}</title></head><body><h1>Index of</h1>${words}<table>
<tr><th><a href="?C=N;O=D">Name</a></th><th><a href="?C=M;O=A">Last modified</a></th></tr>
<tr><td><a href="/mainline/">Parent Directory</a></td></tr>${rows.join('\n')}</table></body></html>`;
}

interface BuildOptions {
  /** Digits of the ABI, such as 060601 for 6.6.1. */
  readonly abi: string;
  readonly state?: string;
  /** All files lie in the folder of the version, as until 5.5. */
  readonly flat?: boolean;
}

/** Writes one version's build; `6.6` has packages that call it 6.6.0. */
function writeBuild(root: string, version: string, { abi, state = 'succeeded', flat = false }: BuildOptions): string {
  const folder = join(root, `v${version}`, flat ? '' : 'amd64');
  const number = version.replace(/^(\d+\.\d+)(?=$|-)/, '$1.0').replace(/-rc\d+/, '');
  const release = `${number}-${abi}-generic`;
  const debVersion = `${number}-${abi}.202401010000`;
  const control = (name: string): string =>
    `Package: ${name}\nVersion: ${debVersion}\nArchitecture: amd64\nMaintainer: N <n@example.org>\nDescription: made for a test\n`;
  const packages: [string, [string, string][]][] = [
    [`linux-image-unsigned-${release}`, [[`./boot/vmlinuz-${release}`, `kernel ${version}`]]],
    [
      `linux-modules-${release}`,
      [
        [`./boot/config-${release}`, 'CONFIG_VIRTIO=y\n'],
        [`./boot/System.map-${release}`, 'ffffffff81000000 T _text\n'],
        [`./lib/modules/${release}/kernel/x.ko.zst`, 'compressed'],
        ['./lib/firmware/not-needed', 'x'],
        ['./usr/share/doc/not-needed', 'x'],
      ],
    ],
    [`linux-headers-${release}`, []],
  ];
  mkdirSync(folder, { recursive: true });
  const files = packages.map(([name, members]): [string, Buffer] => {
    const deb = makeDeb(
      control(name),
      members.map(([path, content]) => ({ path, content })),
    );
    return [`${name}_${debVersion}_amd64.deb`, deb];
  });
  for (const [name, deb] of files) writeFileSync(join(folder, name), deb);
  const lines = (algorithm: string): string[] =>
    files.map(([name, deb]) => `${createHash(algorithm).update(deb).digest('hex')}  ${name}`);
  const text = [
    '#',
    '# Checksums-Sha1:',
    '#',
    ...lines('sha1'),
    '#',
    '# Checksums-Sha256:',
    ...lines('sha256'),
    '',
  ].join('\n');
  sign(folder, text);
  const old = `Build for amd64 ${state} (see BUILD.LOG.amd64):`;
  writeFileSync(
    join(root, `v${version}`, 'HEADER'),
    flat ? old : `Test amd64/build ${state} (rc=0, on=amd64, time=0:11:17, log=amd64/log)`,
  );
  return folder;
}

function sign(folder: string, checksums: string, by = key): void {
  writeFileSync(join(folder, 'CHECKSUMS'), checksums);
  writeFileSync(join(folder, 'CHECKSUMS.gpg'), by.detachSign(Buffer.from(checksums)));
}

async function setUp(t: Test, before?: Handler) {
  const root = t.testdir({ archive: { 'v6.6-not-a-version': {} }, cache: {}, work: {} });
  const archive = join(root, 'archive');
  writeBuild(archive, '5.4', { abi: '050400', flat: true });
  writeBuild(archive, '6.6', { abi: '060600' });
  writeBuild(archive, '6.6.9', { abi: '060609' });
  writeBuild(archive, '6.6.10', { abi: '060610' });
  writeBuild(archive, '6.6.11', { abi: '060611', state: 'failed' });
  mkdirSync(join(archive, 'v6.6.12/arm64'), { recursive: true });
  writeBuild(archive, '6.7-rc2', { abi: '060700rc2' });
  const server = await serve(t, (message, response) => {
    before?.(message, response);
    if (response.writableEnded || response.destroyed) return;
    const path = decodeURIComponent(message.url ?? '/').slice(1);
    try {
      if (path.startsWith('pks/lookup')) {
        const body = (path.includes(key.fingerprint) ? key : stranger).keyring.toString('base64');
        response.end(
          `-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: for a test\n\n${body}\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n`,
        );
      } else if (path.endsWith('/') || path === '') {
        const words = path === '' ? '' : readFileSync(join(archive, path.split('/')[0] ?? '', 'HEADER'), 'utf8');
        response.end(page(archive, path, words));
      } else {
        const content = readFileSync(join(archive, path));
        response.writeHead(200, { 'content-length': content.length }).end(content);
      }
    } catch {
      if (path.startsWith('v6.6.12/')) response.end(page(archive, path, ''));
      else response.writeHead(404).end();
    }
  });
  const said: string[] = [];
  const context: ResolveContext & InstallContext = {
    ...{ name: '6.6-mainline', refresh: false, modules: [], signal: undefined, folder: join(root, 'work') },
    onProgress: () => {},
    say: (line) => said.push(line),
  };
  const open = (fingerprint = key.fingerprint) =>
    new MainlineKernels({
      ...{ cache: join(root, 'cache'), mirror: `${server.address}/`, keyServer: server.address, fingerprint, env: {} },
      http: { firstDelayMs: 5, retries: 1 },
    });
  return { root, archive, server, open, context, said };
}

t.test('the newest patch level whose build succeeded is taken, with both of its packages', async (t) => {
  const { open, context, said, server } = await setUp(t);
  const source = open();
  const request = { 'ubuntu-mainline': '6.6' };
  const kernel = await source.resolve(request, context);
  t.match(kernel, {
    ...{ source: 'ubuntu-mainline', line: '6.6', flavour: 'generic', release: '6.6.10-060610-generic' },
    ...{ version: '6.6.10-060610.202401010000', folder: 'mainline-6.6.10-060610.202401010000' },
    files: [
      { path: 'v6.6.10/amd64/linux-image-unsigned-6.6.10-060610-generic_6.6.10-060610.202401010000_amd64.deb' },
      { path: 'v6.6.10/amd64/linux-modules-6.6.10-060610-generic_6.6.10-060610.202401010000_amd64.deb' },
    ],
  });
  t.same(said, [
    '6.6-mainline: passed over v6.6.12: it has no image for amd64',
    '6.6-mainline: passed over v6.6.11: its build for amd64 is marked as failed',
  ]);
  const parts = await source.install(kernel, request, context);
  t.equal(readFileSync(parts.image, 'utf8'), 'kernel 6.6.10');
  t.match(parts, { release: '6.6.10-060610-generic', config: /boot\/config-/, systemMap: /boot\/System\.map-/ });
  t.same(readdirSync(join(parts.modules ?? '', 'kernel')), ['x.ko.zst']);
  t.same(readdirSync(join(dirname(parts.image), '..')), ['boot', 'lib'], 'nothing else is unpacked');
  t.same(readdirSync(join(dirname(parts.image), '../lib')), ['modules']);

  t.match(await source.resolve({ 'ubuntu-mainline': 'v6.7-rc2' }, context), {
    release: '6.7.0-060700rc2-generic',
    line: '6.7',
  });
  t.match(await source.resolve({ 'ubuntu-mainline': '6.6.0' }, context), { release: '6.6.0-060600-generic' });
  t.match(await source.resolve({ 'ubuntu-mainline': '5.4' }, context), {
    files: [{ path: /^v5\.4\/linux-image-unsigned/ }, { path: /^v5\.4\/linux-modules/ }],
  });
  t.equal(server.seen.filter(({ url }) => url?.startsWith('/pks/') === true).length, 1, 'the key is kept');
  t.same(await source.lines(context), ['5.4', '6.6']);
});

t.test('what does not exist or was not built is said with what there is', async (t) => {
  const { open, context } = await setUp(t);
  const cases: [string, Record<string, string | RegExp>][] = [
    ['6.8', { code: 'kernel-line-unknown', why: 'it has 5.4, 6.6' }],
    ['6.7', { code: 'kernel-line-unknown', why: 'it has 6.7-rc2' }],
    ['6.6.99', { code: 'kernel-line-unknown', why: 'it has 6.6, 6.6.9, 6.6.10, 6.6.11, 6.6.12' }],
    ['6.6.11', { code: 'build-failed', why: 'v6.6.11: its build for amd64 is marked as failed' }],
  ];
  for (const [line, error] of cases) {
    t.match(
      await open()
        .resolve({ 'ubuntu-mainline': line }, context)
        .catch((one: unknown) => one),
      error,
      line,
    );
  }
});

t.test('nothing is used that the key of the archive has not signed', async (t) => {
  const { root, archive, open, context } = await setUp(t);
  const folder = join(archive, 'v6.6.10/amd64');
  const text = readFileSync(join(folder, 'CHECKSUMS'), 'utf8');
  const resolve = (fingerprint?: string) => open(fingerprint).resolve({ 'ubuntu-mainline': '6.6.10' }, context);

  await t.rejects(
    resolve(MAINLINE_KEY),
    { code: 'signature-refused' },
    'a key server that sends another key than it was asked for',
  );
  t.same(readdirSync(join(root, 'cache/keys')), [], 'and that is not kept');
  sign(folder, text, stranger);
  await t.rejects(
    resolve(MAINLINE_KEY),
    { code: 'signature-refused', why: `key ${stranger.fingerprint} signed it, and ${MAINLINE_KEY} should have` },
    'not even where it made the signature',
  );
  await t.rejects(resolve(), { code: 'signature-refused', why: /is not known/ });

  sign(folder, text);
  t.match(await resolve(), { line: '6.6' });
  writeFileSync(
    join(folder, 'CHECKSUMS'),
    text.replace('# Checksums-Sha256:', `# Checksums-Sha256:\n${'0'.repeat(64)}  x`),
  );
  await t.rejects(resolve(), { code: 'signature-refused', why: /altered/ });
  // A good signature by the right key, of something else.
  writeFileSync(join(folder, 'CHECKSUMS.gpg'), key.clearSign('something else that was signed once\n'));
  await t.rejects(resolve(), { code: 'signature-refused', why: /not a detached signature/ });
  rmSync(join(folder, 'CHECKSUMS.gpg'));
  await t.rejects(resolve(), { code: 'signature-refused', message: /no signature/ });
  sign(folder, text.replace(/^[0-9a-f]{64} .*linux-modules.*\n/m, ''));
  await t.rejects(resolve(), { code: 'digest-missing', why: /^linux-modules-/ }, 'a SHA-1 is not enough');
});

t.test('packages that were altered, or are gone, are no kernel', async (t) => {
  const { archive, open, context, server } = await setUp(t);
  const request = { 'ubuntu-mainline': '6.6.10' };
  const kernel = await open().resolve(request, context);
  const deb = join(archive, kernel.files[1]?.path ?? '');
  const good = readFileSync(deb);
  writeFileSync(deb, Buffer.concat([good, good]));
  await t.rejects(open().install(kernel, request, context), { code: 'digest-mismatch' });
  rmSync(deb);
  await t.rejects(open().install(kernel, request, context), { code: 'package-gone', where: /linux-modules/ });
  t.notOk(
    readdirSync(context.folder).some((name) => name.includes('linux-modules')),
    'no part of it is left',
  );
  server.server.close();
  server.server.closeAllConnections();
  await t.rejects(open().resolve(request, context), { code: 'network-failed', fix: /KSYM_MATRIX_MAINLINE_MIRROR/ });
});

t.test('versions are in the order in which they came out', async (t) => {
  const versions = ['6.7.1', '6.7', '6.10', '6.7-rc10', '6.7-rc9', '6.6.100', '6.6.9'];
  t.same(versions.sort(compareMainline), ['6.6.9', '6.6.100', '6.7-rc9', '6.7-rc10', '6.7', '6.7.1', '6.10']);
});
