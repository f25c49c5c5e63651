import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { ExplainedError } from '../../../loader/errors.ts';
import { cacheDirectory } from '../../cache-directory.ts';
import type { InstallContext, KernelParts, ResolvedKernel } from '../../kernel-source.ts';
import { resolvedKernelSchema } from '../../kernel-source.ts';
import { KernelStore } from '../../store.ts';
import { type Member, makeTar } from '../../test/archive.ts';
import { OciKernels, type OciOptions } from '../kernels.ts';
import { findRegistryProgram, pushImage, type Registry, startRegistry, TYPES } from './registry.ts';
import { ISSUER, listen, SERVICE, startTokenServer } from './token-server.ts';

const program = await findRegistryProgram();
const kernel = await new KernelStore({ cache: cacheDirectory() }).get({ debian: '5.10' });
const image = readFileSync(kernel.image);
const release = kernel.release;

const open: { stop: () => void }[] = [];
t.teardown(() => {
  for (const { stop } of open) stop();
});

async function start(...args: Parameters<typeof startRegistry>): Promise<Registry> {
  const registry = await startRegistry(...args);
  open.push(registry);
  return registry;
}

const top = t.testdir({});
const registry = await start(program, join(top, 'storage'));

/** A new folder with these files. */
function folderOf(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(top, 'folder-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const messages: string[] = [];

/** Neither anybody's credentials nor a second try come into the way of a test. */
const source = (options: OciOptions = {}): OciKernels =>
  new OciKernels({ env: { HOME: '/nonexistent' }, http: { retries: 0 }, ...options });

const context = { name: 'test', refresh: false, onProgress: () => {}, signal: undefined };

function resolve(oci: string, options?: OciOptions): Promise<ResolvedKernel> {
  return source(options).resolve({ oci }, { ...context, say: (text) => messages.push(text) });
}

function install(
  found: ResolvedKernel,
  oci: string,
  folder: string,
  options?: OciOptions,
  more: Partial<InstallContext> = {},
): Promise<KernelParts> {
  mkdirSync(folder, { recursive: true });
  const say = (text: string): void => void messages.push(text);
  return source(options).install(found, { oci }, { ...context, say, folder, modules: [], ...more });
}

async function pull(oci: string, folder: string, options?: OciOptions): Promise<KernelParts> {
  return install(await resolve(oci, options), oci, folder, options);
}

const zstd = (bytes: Buffer): Buffer => spawnSync('zstd', ['-q', '-c'], { input: bytes, maxBuffer: 1 << 28 }).stdout;

const modules = `usr/lib/modules/${release}`;
const modulesFolder = join(kernel.directory, 'lib/modules', release);
const drivers = readdirSync(modulesFolder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /virtio.*\.ko$/.test(name),
);

/** As the images of cilium/ci-kernels are laid out, with much around it that is no concern of ours. */
const lower: Member[] = [
  { path: 'boot/', flag: '5', mode: 0o755 },
  { path: 'boot/vmlinuz', content: 'of a lower layer' },
  { path: `boot/config-${release}`, content: readFileSync(kernel.config ?? '') },
  { path: 'boot/grub', content: 'not wanted' },
  { path: 'lib', flag: '2', target: 'usr/lib', mode: 0o777 },
  ...drivers.map((name) => ({ path: `./${modules}/${name}`, content: readFileSync(join(modulesFolder, name)) })),
  { path: `${modules}/build`, flag: '2', target: '/usr/src/linux', mode: 0o777 },
  { path: `${modules}/kernel/old/one.ko`, content: 'old' },
  { path: `${modules}/kernel/old/deep/two.ko`, content: 'old' },
  { path: `${modules}/kernel/gone/three.ko`, content: 'old' },
  { path: `${modules}/kernel/link`, flag: '2', target: 'gone', mode: 0o777 },
  { path: 'dev/null', flag: '3' },
  { path: 'usr/bin/su', mode: 0o4755, content: 'su' },
  { path: 'usr/lib/os-release', flag: '2', target: '../../../../etc/x', mode: 0o777 },
];
const upper: Member[] = [
  { path: 'boot/vmlinuz', content: image },
  { path: 'boot/.wh.grub' },
  // What is new stays, on whichever side of the mark it stands.
  { path: `${modules}/kernel/old/before.ko`, content: 'new' },
  { path: `${modules}/kernel/old/.wh..wh..opq` },
  { path: `${modules}/kernel/old/after.ko`, content: 'new' },
  { path: `${modules}/kernel/.wh.gone` },
  { path: `${modules}/kernel/.wh..wh.plnk` },
  { path: `${modules}/kernel/link/file.ko`, content: 'a folder takes the place of a link' },
  { path: `${modules}/kernel/hard.ko`, flag: '1', target: `${modules}/kernel/old/after.ko` },
];

t.test('a kernel comes out of a registry as it was pushed, with the layers laid over each other', async (t) => {
  const repository = 'cilium/ci-kernels';
  const layers = [gzipSync(makeTar(lower)), zstd(makeTar(upper))];
  const [ours, arm] = await Promise.all([
    pushImage(registry, repository, '', layers),
    pushImage(registry, repository, '', [makeTar([{ path: 'boot/vmlinuz', content: 'arm' }])], {
      architecture: 'arm64',
    }),
  ]);
  const platform = (os: string, architecture: string): object => ({ platform: { os, architecture } });
  await registry.tag(repository, '5.10', {
    schemaVersion: 2,
    mediaType: TYPES.index,
    manifests: [
      { mediaType: TYPES.image, digest: arm.digest, size: arm.size, ...platform('linux', 'arm64') },
      { mediaType: TYPES.image, digest: ours.digest, size: ours.size, ...platform('linux', 'amd64') },
    ],
  });
  const reference = `${registry.host}/${repository}:5.10`;
  const found = await resolve(reference);
  t.match(resolvedKernelSchema.parse(found), {
    source: 'oci',
    line: '5.10',
    version: `5.10@${ours.digest.slice(0, 23)}`,
    folder: `oci-ci-kernels-5.10-${ours.digest.slice(7, 23)}`,
    origin: `${registry.host}/${repository}`,
    files: ours.layers.map(({ digest, size }) => ({ sha256: digest.slice(7), size })),
    extra: { manifest: ours.digest },
  });

  // The tag moves, and what was resolved does not.
  await pushImage(registry, repository, '5.10', [makeTar([{ path: 'boot/vmlinuz', content: 'another' }])]);
  const folder = folderOf();
  const parts = await install(found, reference, folder);
  t.match(parts, { release, systemMap: null, files: ours.layers.map(({ digest }) => ({ sha256: digest.slice(7) })) });
  t.ok(readFileSync(parts.image).equals(image), 'the image, byte by byte');
  t.ok(readFileSync(parts.config ?? '').equals(readFileSync(kernel.config ?? '')));
  t.equal(parts.modules, join(folder, 'root', modules), 'where the link /lib leads');
  t.ok(drivers.length > 3);
  for (const name of drivers) {
    t.ok(readFileSync(join(parts.modules ?? '', name)).equals(readFileSync(join(modulesFolder, name))), name);
  }
  const rest = readdirSync(join(folder, 'root'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.[a-z]+$|link|build/.test(name) && !drivers.includes(name.replace(`${modules}/`, '')),
  );
  t.same(
    rest.map((name) => name.replace(`${modules}/kernel/`, '')).sort(),
    ['hard.ko', 'link', 'link/file.ko', 'old/after.ko', 'old/before.ko'],
    'whiteouts, links and what is no part of a kernel',
  );
  t.notOk(existsSync(join(folder, 'root/boot/grub')));
  t.same(readdirSync(folder), ['root'], 'the layers themselves are removed');

  const pinned = `${registry.host}/${repository}@${ours.digest}`;
  t.match(await resolve(pinned), { line: '', version: ours.digest.slice(0, 23), files: found.files });
  await t.rejects(
    resolve(reference).then((other) => install(other, reference, join(folder, 'x'))),
    {
      code: 'image-not-a-kernel',
      where: new RegExp(`^${reference}@sha256:.*: /boot/vmlinuz$`),
    },
  );
  const mirrored = { env: { KSYM_MATRIX_OCI_MIRROR: registry.host } };
  t.match(await resolve(`ghcr.io/${repository}@${ours.digest}`, mirrored), { origin: 'ghcr.io/cilium/ci-kernels' });
});

t.test('tokens and passwords reach the registry and those it names, and nobody else', async (t) => {
  const login = 'somebody:pass:word';
  const issuer = await startTokenServer(login);
  const config = (text: string): { env: Record<string, string> } => ({
    env: { DOCKER_CONFIG: folderOf({ 'config.json': text }) },
  });
  const layer = makeTar([{ path: 'boot/vmlinuz', content: image }]);
  for (const repository of ['public/kernel', 'private/kernel']) await pushImage(registry, repository, '5.10', [layer]);
  const bundle = join(folderOf({ 'bundle.pem': issuer.certificate }), 'bundle.pem');
  const auth = { token: { realm: issuer.realm, service: SERVICE, issuer: ISSUER, rootcertbundle: bundle } };
  const guarded = await start(program, registry.storage, auth);

  // In front of it, as with the large registries, a server that sends those who want blobs elsewhere.
  const heard: { url: string; authorization: string | undefined }[] = [];
  const elsewhere = createServer((request, response) => {
    heard.push({ url: request.url ?? '', authorization: request.headers.authorization });
    response.end(readFileSync(registry.blobFile((request.url ?? '').slice(1))));
  });
  const front = createServer(async (request, response) => {
    const { authorization, accept } = request.headers;
    const headers = {
      ...(authorization === undefined ? {} : { authorization }),
      ...(accept === undefined ? {} : { accept }),
    };
    const answer = await fetch(`http://${guarded.host}${request.url}`, { headers, redirect: 'manual' });
    const body = Buffer.from(await answer.arrayBuffer());
    const blob = /\/blobs\/(sha256:[0-9a-f]+)$/.exec(request.url ?? '')?.[1];
    if (answer.status === 200 && blob !== undefined) {
      const { port } = elsewhere.address() as AddressInfo;
      response.writeHead(307, { location: `http://127.0.0.1:${port}/${blob}` }).end();
    } else {
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(body);
    }
  });
  for (const server of [elsewhere, front]) await listen(server);
  t.teardown(() => {
    for (const server of [elsewhere, front]) server.close().closeAllConnections();
  });
  t.teardown(issuer.close);
  const host = `127.0.0.1:${(front.address() as AddressInfo).port}`;

  const parts = await pull(`${host}/public/kernel:5.10`, folderOf());
  t.equal(parts.release, release);
  t.match(issuer.requests, [
    { query: `?service=${SERVICE}&scope=repository:public/kernel:pull`, authorization: undefined },
    {},
  ]);
  t.equal(heard.length, 2, 'configuration and layer came from elsewhere');
  t.same(
    heard.map(({ authorization }) => authorization),
    [undefined, undefined],
    'and no token went there',
  );

  const wanted = `${host}/private/kernel:5.10`;
  const said: ExplainedError[] = [];
  await resolve(wanted).catch((error: ExplainedError) => said.push(error));
  const auths = (text: string): string =>
    JSON.stringify({ auths: { [host]: { auth: Buffer.from(text).toString('base64') } } });
  await resolve(wanted, config(auths('somebody:secret-typo'))).catch((error: ExplainedError) => said.push(error));
  t.match(said, [
    { code: 'oci-access-denied', why: /nobody is logged in/ },
    { code: 'oci-access-denied', why: /who is that\?/ },
  ]);
  const text = said.map((error) => error.explain()).join();
  t.notMatch(text, /secret-typo/);
  for (const token of issuer.tokens) t.notOk(text.includes(token));
  t.match(await resolve(wanted, config(auths(login))), { line: '5.10' });
  await t.rejects(resolve(wanted, config('{ damaged')), { code: 'oci-access-denied' });

  // A password that is well known: the hash is a test vector of crypt_blowfish.
  const htpasswd = 'tester:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n';
  const path = join(folderOf({ htpasswd }), 'htpasswd');
  const basic = await start(program, registry.storage, { htpasswd: { realm: 'test', path } });
  const kept = JSON.stringify({ auths: { [`http://${basic.host}/v2/`]: { username: 'tester', password: 'U*U' } } });
  t.match(await resolve(`${basic.host}/private/kernel:5.10`, config(kept)), { line: '5.10' });
  await t.rejects(resolve(`${basic.host}/private/kernel:5.10`), { code: 'oci-access-denied' });
});

t.test('what is not there is said, with what is', async (t) => {
  await pushImage(registry, 'some/kernels', '6.6.100', [Buffer.alloc(1024)]);
  await pushImage(registry, 'some/kernels', '6.12.1', [Buffer.alloc(1024)], { mediaType: TYPES.dockerImage });
  await pushImage(registry, 'some/kernels', 'arm', [Buffer.alloc(1024)], { architecture: 'arm64' });
  const where = `${registry.host}/some/kernels`;
  await t.rejects(resolve(`${where}:6.6`), { code: 'oci-tag-unknown', why: 'it has 6.6.100, arm, 6.12.1' });
  await t.rejects(resolve(`${where}:arm`), { code: 'image-wrong-architecture', why: 'it is for linux/arm64' });
  await t.rejects(resolve(`${where}@sha256:${'0'.repeat(64)}`), { code: 'oci-tag-unknown' });
  await t.rejects(resolve(`${registry.host}/no/kernels:6.6`), { code: 'oci-repository-unknown' });
  const web = createServer((_request, response) => void response.writeHead(404).end('nothing'));
  await listen(web);
  const host = `127.0.0.1:${(web.address() as AddressInfo).port}`;
  await t.rejects(resolve(`${host}/no/kernels`), { code: 'not-a-registry', fix: /KSYM_MATRIX_OCI_MIRROR/ });
  web.close().closeAllConnections();
  await t.rejects(resolve(`${host}/no/kernels`), { code: 'network-failed', why: /refused/ });
  const list = { schemaVersion: 2, mediaType: TYPES.dockerIndex, manifests: [] };
  await registry.tag('some/kernels', 'none', list);
  await t.rejects(resolve(`${where}:none`), { code: 'image-wrong-architecture', why: 'it names no platform at all' });

  const empty = await resolve(`${where}:6.12.1`);
  await t.rejects(install(empty, `${where}:6.12.1`, folderOf()), { code: 'kernel-image-missing' });
  const gone = { ...empty, files: empty.files.map((file) => ({ ...file, sha256: '0'.repeat(64) })) };
  await t.rejects(install(gone, `${where}:6.12.1`, folderOf()), { code: 'package-gone' });
});

t.test('bytes that are not what their digest says are refused', async (t) => {
  const layer = gzipSync(makeTar([{ path: 'boot/vmlinuz', content: image }]));
  const pushed = await pushImage(registry, 'bad/kernels', '1', [layer]);
  const reference = `${registry.host}/bad/kernels:1`;
  const found = await resolve(reference);
  const file = registry.blobFile(pushed.layers[0]?.digest ?? '');
  const folder = folderOf();
  const altered = Buffer.from(layer);
  altered[layer.length >> 1] = (altered[layer.length >> 1] ?? 0) ^ 1;
  writeFileSync(file, altered);
  await t.rejects(install(found, reference, join(folder, 'a')), { code: 'digest-mismatch' });
  truncateSync(file, 1000);
  await t.rejects(install(found, reference, join(folder, 'b')), { code: /^(digest-mismatch|network-failed)$/ });
  for (const name of ['a', 'b']) t.same(readdirSync(join(folder, name, 'layers')), [], 'nothing is kept of it');

  const manifest = registry.blobFile(pushed.digest);
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"schemaVersion":2', '"schemaVersion": 2'));
  await t.rejects(resolve(reference), { code: 'digest-mismatch', where: /manifests\/1$/ });
  await t.rejects(resolve(`${registry.host}/bad/kernels@${pushed.digest}`), { code: 'digest-mismatch' });

  writeFileSync(file, layer);
  const controller = new AbortController();
  const onProgress = (): void => controller.abort();
  await t.rejects(install(found, reference, join(folder, 'c'), {}, { signal: controller.signal, onProgress }), {
    code: 'interrupted',
  });
  t.same(messages, []);
});
