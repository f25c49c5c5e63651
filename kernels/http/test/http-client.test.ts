import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { HttpClient, type HttpClientOptions, HttpStatusError } from '../http-client.ts';
import { type Handler, portOf, serve } from './server.ts';

// Most of the time is spent waiting.
t.jobs = 8;
const TOGETHER = { buffered: true };

/** A client that does not wait long. */
function client(options: HttpClientOptions = {}): HttpClient {
  return new HttpClient({ firstDelayMs: 5, env: {}, ...options });
}

const FILE = randomBytes(300_000);
const DIGEST = createHash('sha256').update(FILE).digest('hex');

interface FileOptions {
  /** Where the client's temporary file is. */
  readonly folder: string;
  /** Each time the file is asked for, the connection is cut after this byte of it. */
  readonly cutAt: number[];
  readonly tag?: () => string;
  readonly ranges?: boolean;
}

/** Cuts a connection when the client has written so many bytes: what it has not read by then is lost on the way. */
function cutWhenWritten(response: ServerResponse, folder: string, bytes: number): void {
  const partial = readdirSync(folder).find((name) => name.endsWith('.part'));
  if (partial !== undefined && statSync(join(folder, partial)).size >= bytes) response.destroy();
  else setTimeout(() => cutWhenWritten(response, folder, bytes), 2);
}

/** Serves FILE as Apache does, with ranges and an entity tag. */
function fileHandler(options: FileOptions): Handler {
  return (message, response) => {
    const tag = options.tag?.() ?? '"one"';
    const range = /^bytes=(\d+)-$/.exec(message.headers.range ?? '')?.[1];
    const conditional = message.headers['if-range'];
    const from =
      options.ranges === false || (conditional !== undefined && conditional !== tag) ? 0 : Number(range ?? 0);
    const rest = FILE.subarray(from);
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': rest.length,
      ...(options.tag === undefined ? { etag: tag } : tag === '' ? {} : { etag: tag }),
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${FILE.length - 1}/${FILE.length}` }),
    });
    const cut = options.cutAt.shift();
    if (cut === undefined) response.end(rest);
    else response.write(FILE.subarray(from, cut), () => cutWhenWritten(response, options.folder, cut));
  };
}

t.test('a download that is cut goes on where it broke off, and is the file', TOGETHER, async (t) => {
  const root = t.testdir({ new: {} });
  const folder = join(root, 'new');
  const { address, seen } = await serve(t, fileHandler({ folder, cutAt: [100_000, 100_000, 200_000, 250_000] }));
  const reports: number[] = [];
  const retried: string[] = [];
  const found = await client({ retries: 2, onRetry: (line) => retried.push(line) }).download(
    `${address}/kernel.deb`,
    join(folder, 'kernel.deb'),
    { onBytes: (bytes) => reports.push(bytes) },
  );
  t.same(found, { sha256: DIGEST, size: FILE.length });
  t.ok(readFileSync(join(folder, 'kernel.deb')).equals(FILE));
  t.same(readdirSync(folder), ['kernel.deb'], 'nothing else is left');
  t.same(
    seen.map(({ headers }) => [headers.range, headers['if-range']]),
    [
      [undefined, undefined],
      ['bytes=100000-', '"one"'],
      ['bytes=100000-', '"one"'],
      ['bytes=200000-', '"one"'],
      ['bytes=250000-', '"one"'],
    ],
    'four retries where two are allowed, since most of them brought something',
  );
  t.equal(reports.at(-1), FILE.length);
  t.match(retried, [/^127\.0\.0\.1:\d+: the connection was cut; asking again in 0\.0 s$/, /./, /./, /./]);
});

t.test('a server that ignores ranges, or has another file by now, is read from the start', TOGETHER, async (t) => {
  const folder = t.testdir({});
  const whole = await serve(t, fileHandler({ folder, cutAt: [100_000], ranges: false }));
  t.match(await client().download(`${whole.address}/x`, join(folder, 'a')), { sha256: DIGEST });

  let count = 0;
  const changed = await serve(t, fileHandler({ folder, cutAt: [100_000], tag: () => `"${count++}"` }));
  t.match(await client().download(`${changed.address}/x`, join(folder, 'b')), { sha256: DIGEST });
  t.ok(readFileSync(join(folder, 'b')).equals(FILE));

  // Without a tag only the digest can tell, and here it must: the second part is of another file.
  let old = true;
  const mixed = await serve(t, (message, response) => {
    if (!old) return fileHandler({ folder, cutAt: [], tag: () => '' })(message, response);
    old = false;
    response.writeHead(200, { 'content-length': FILE.length });
    response.write(Buffer.alloc(100_000), () => cutWhenWritten(response, folder, 100_000));
  });
  t.match(await client().download(`${mixed.address}/x`, join(folder, 'c'), { sha256: DIGEST }), { sha256: DIGEST });
  t.same(
    mixed.seen.map(({ headers }) => headers.range),
    [undefined, 'bytes=100000-', undefined],
  );
  old = true;
  await client().download(`${mixed.address}/x`, join(folder, 'd'));
  t.same(mixed.seen.at(-1)?.headers.range, undefined, 'without a digest either, nothing is put together');
});

t.test('what is not what was announced is an error, never a file', TOGETHER, async (t) => {
  const folder = t.testdir({ there: 'before' });
  const { address, seen } = await serve(t, (message, response) => {
    if (message.url === '/stream') {
      response.write(FILE.subarray(0, 1000)); // chunked: its length is not known beforehand
      return response.end(FILE.subarray(1000));
    }
    response.writeHead(200, { 'content-length': FILE.length });
    return response.end(FILE);
  });
  const file = join(folder, 'there');
  const fetch = (path: string, options: object) => client({ retries: 1 }).download(`${address}${path}`, file, options);
  await t.rejects(fetch('/x', { sha256: '0'.repeat(64) }), {
    code: 'digest-mismatch',
    where: `${address}/x`,
    why: `its SHA-256 is ${DIGEST}, and should be ${'0'.repeat(64)}`,
  });
  t.equal(seen.length, 1, 'another try would bring the same');
  await t.rejects(fetch('/x', { size: FILE.length + 1 }), { code: 'digest-mismatch', why: /its size is 300000/ });
  await t.rejects(fetch('/stream', { size: FILE.length - 1 }), { code: 'digest-mismatch' });
  await t.rejects(fetch('/stream', { size: FILE.length + 1 }), { code: 'network-failed', why: /ended too early/ });
  await t.rejects(fetch('/x', { maxBytes: 1000 }), { code: 'too-large', why: /1000 bytes/ });
  await t.rejects(fetch('/stream', { maxBytes: 1000 }), { code: 'too-large' });
  await t.rejects(client().get(`${address}/stream`, { maxBytes: 1000 }), { code: 'too-large' });
  t.same(readdirSync(folder), ['there']);
  t.equal(readFileSync(file, 'utf8'), 'before');
});

t.test('what fails for a moment is tried again, what fails for good is not', TOGETHER, async (t) => {
  const answers: [number, Record<string, string>][] = [];
  const { address, seen } = await serve(t, (_, response) => {
    const [status, headers] = answers.shift() ?? [200, {}];
    response.writeHead(status, headers).end(`status ${status}`);
  });
  const get = async (...statuses: (number | [number, string])[]): Promise<string> => {
    seen.length = 0;
    answers.length = 0;
    for (const one of statuses) answers.push(typeof one === 'number' ? [one, {}] : [one[0], { 'retry-after': one[1] }]);
    const { status, body } = await client({ retries: 2 }).get(`${address}/x`, { accept: [401] });
    return `${status} ${body} after ${seen.length}`;
  };
  t.equal(await get(503, 503), '200 status 200 after 3');
  t.equal(await get(408, 429), '200 status 200 after 3');
  const before = performance.now();
  t.equal(await get([429, '1']), '200 status 200 after 2');
  t.ok(performance.now() - before >= 950, 'the server asked for a second');
  t.equal(await get([503, new Date(Date.now() - 5000).toUTCString()]), '200 status 200 after 2');
  t.equal(await get(401), '401 status 401 after 1');

  await t.rejects(get(500, 502, 504), {
    code: 'http-status',
    status: 504,
    why: 'it answered with status 504 (tried 3 times)',
  });
  await t.rejects(get([429, '3600']), {
    code: 'http-status',
    why: /status 429, and it asks to wait 3600 s \(tried once\)/,
  });
  await t.rejects(get(404), { code: 'not-found', status: 404, body: 'status 404' });
  t.equal(seen.length, 1);
  const refused = await get(403).catch((error: unknown) => error);
  t.ok(refused instanceof HttpStatusError);
  t.match(refused, { code: 'http-status', where: `${address}/x` });
});

t.test('redirects are followed, without handing on who asks', TOGETHER, async (t) => {
  const other = await serve(t, (_, response) => void response.end('there'));
  const { address, seen } = await serve(t, (message, response) => {
    const target = {
      '/far': `${other.address}/blob?key=secret`,
      '/near': '/far',
      '/round': '/round',
      '/odd': 'ftp://x/',
    }[message.url ?? ''];
    if (target === undefined) response.writeHead(404).end();
    else response.writeHead(307, { location: target }).end('elsewhere');
  });
  const headers = { authorization: 'Bearer token', accept: 'x/y' };
  const response = await client().get(`${address}/near`, { headers });
  t.match(response, { status: 200, url: `${other.address}/blob?key=secret` });
  t.equal(response.body.toString(), 'there');
  t.same(
    seen.map((one) => one.headers.authorization),
    ['Bearer token', 'Bearer token'],
  );
  t.match(other.seen[0]?.headers, { authorization: undefined, accept: 'x/y' });
  await t.rejects(client().get(`${address}/round`), { code: 'bad-redirect', why: /more than 10 times/ });
  await t.rejects(client().get(`${address}/odd`), { code: 'bad-redirect' });
  await t.rejects(client().get('file:///etc/passwd'), { code: 'bad-address' });
});

t.test('a server that is away, or falls silent, is named with what to do', TOGETHER, async (t) => {
  const silent = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('some');
  });
  const [host] = /[^/]+$/.exec(silent.address) ?? [];
  const stalled = client({ retries: 0, stallMs: 100 });
  await t.rejects(stalled.get(`${silent.address}/x?token=secret`), {
    code: 'network-failed',
    message: `${host} cannot be read from`,
    where: `${silent.address}/x`,
    why: 'the server stopped sending (tried once)',
  });
  const gone = await serve(t, () => {});
  gone.server.close();
  await once(gone.server, 'close');
  await t.rejects(client({ retries: 2 }).get(gone.address), {
    code: 'network-failed',
    why: 'the connection was refused (tried 3 times)',
    fix: /http_proxy/,
  });
  const env = { HTTP_PROXY: `http://user:secret@${/[^/]+$/.exec(gone.address)?.[0]}`, no_proxy: 'example.org' };
  const error: unknown = await client({ retries: 0, env })
    .get('http://ksym.invalid/x')
    .catch((one: unknown) => one);
  t.match(error, { code: 'network-failed', fix: new RegExp(`HTTP_PROXY is ${gone.address}, except for example.org`) });
  await t.rejects(client({ env: { https_proxy: 'socks5://x:1' } }).get('https://ksym.invalid/'), { code: 'bad-proxy' });
});

t.test('the proxies that the environment names are used', TOGETHER, async (t) => {
  const origin = await serve(t, (_, response) => void response.end('hello'));
  const tunnels: string[] = [];
  const proxy = await serve(t, (message, response) => {
    const forwarded = request(message.url ?? '', { headers: message.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy()).end();
  });
  proxy.server.on('connect', (message, socket) => {
    tunnels.push(message.url ?? '');
    const upstream = connect(portOf(origin.server), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    for (const end of [upstream, socket]) end.on('error', () => upstream.destroy());
    t.teardown(() => upstream.destroy());
  });
  const env = { http_proxy: proxy.address.replace('//', '//user:word@') };
  t.equal((await client({ env }).get(`${origin.address}/x`)).body.toString(), 'hello');
  t.match(proxy.seen[0], { url: `${origin.address}/x` }, 'an ordinary request, with the whole address');
  t.equal(proxy.seen[0]?.headers['proxy-authorization'], `Basic ${Buffer.from('user:word').toString('base64')}`);

  t.equal((await client({ env: { ...env, NO_PROXY: '127.0.0.1' } }).get(`${origin.address}/x`)).status, 200);
  t.equal(proxy.seen.length, 1, 'not asked for what is excepted');

  // The origin speaks no TLS: what counts is that the tunnel was asked for by name, and that its failing is told.
  const https = client({ env: { https_proxy: proxy.address }, retries: 0 });
  await t.rejects(https.get('https://ksym.invalid/x'), { code: 'network-failed', fix: /https_proxy is/ });
  t.same(tunnels, ['ksym.invalid:443']);
});

t.test('an interruption ends a download at once and leaves nothing', TOGETHER, async (t) => {
  const folder = t.testdir({});
  const { address } = await serve(t, (message, response) => {
    if (message.url === '/busy') return void response.writeHead(503, { 'retry-after': '60' }).end();
    response.writeHead(200, { 'content-length': FILE.length });
    response.write(FILE.subarray(0, 1000));
  });
  for (const path of ['/silent', '/busy']) {
    const abort = new AbortController();
    const download = client({ signal: abort.signal }).download(`${address}${path}`, join(folder, 'x'));
    setTimeout(() => abort.abort(), 100);
    await t.rejects(download, { code: 'interrupted' }, path);
  }
  t.same(readdirSync(folder), []);
  await t.rejects(client({ signal: AbortSignal.abort() }).get(address), { code: 'interrupted' });
  writeFileSync(join(folder, 'file'), '');
  await t.rejects(client().download(`${address}/x`, join(folder, 'file/x')), { code: 'EEXIST' });
  t.notOk(existsSync(join(folder, 'x')));
});

t.test('what a killed run has left does not pass for the file', TOGETHER, async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'kernel.deb');
  const { address } = await serve(t, fileHandler({ folder, cutAt: [] }));
  const silent = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': FILE.length });
    response.write(FILE.subarray(0, 1000));
  });
  const module = new URL('../http-client.js', import.meta.url).href;
  const script = `import { HttpClient } from ${JSON.stringify(module)};
    await new HttpClient({ env: {} }).download(process.argv[1], process.argv[2], { onBytes: () => console.log('some') });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, `${silent.address}/x`, file]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const left = readdirSync(folder);
  t.match(left, [/^kernel\.deb\..*\.part$/], 'another name');
  t.match(await client().download(`${address}/x`, file), { sha256: DIGEST });
  t.same(readdirSync(folder).sort(), ['kernel.deb', ...left], 'and it is not taken up: its owner may be alive');
});
