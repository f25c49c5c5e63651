import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fetchGithubDescription, githubDescriptionPath } from '../github-description.ts';
import { installMissing, missingRequirements, requireTools } from '../install.ts';
import { findChromium, findProgram, requirements } from '../requirements.ts';
import './repository-tests.ts';

/** Runs with another PATH; root's privileges and sudo are out of reach if it leads nowhere. */
async function withPath<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  const before = process.env.PATH;
  process.env.PATH = path;
  try {
    return await work();
  } finally {
    process.env.PATH = before;
  }
}

/** A folder with programs of these contents. */
function programs(t: Test, files: Record<string, string>): string {
  const folder = t.testdir(files);
  for (const name of Object.keys(files)) chmodSync(join(folder, name), 0o755);
  return folder;
}

t.test('a program is found in PATH, in the order of PATH, if it can be run', async (t) => {
  const first = programs(t, { tool: '#!/bin/sh\n' });
  mkdirSync(join(first, 'later'));
  writeFileSync(join(first, 'later/tool'), '');
  writeFileSync(join(first, 'later/data'), '', { mode: 0o644 });
  await withPath(`/nowhere::${first}:${first}/later`, () => {
    t.equal(findProgram('tool'), join(first, 'tool'));
    t.equal(findProgram('data'), undefined, 'a file that cannot be run is no program');
    t.equal(findProgram('no-such-tool'), undefined);
  });
  await withPath('/nowhere', () => {
    // An ordinary user's PATH lacks the folders for administrators on Debian.
    t.match(findProgram('depmod'), /^\/(usr\/)?sbin\/depmod$/);
  });
});

t.test('on a system that is set up nothing is missing, for runs and for tests', async (t) => {
  const missing = missingRequirements(true).map((one) => one.name);
  t.same(missing, []);
  // The tests themselves install nothing: `npm test` has done that before.
  if (missing.length > 0) return;
  requireTools();
  const steps: string[] = [];
  await installMissing({ tests: true, onStep: (text) => steps.push(text) });
  t.same(steps, [], 'nothing is installed, or said');
});

t.test('what is missing is named once, with its package, and what tests need only for tests', async (t) => {
  await withPath('/nowhere', () => {
    const names = missingRequirements(false).map((one) => one.name);
    for (const name of ['qemu-system-x86_64', 'clang', 'ld.lld', 'static busybox', 'file'])
      t.ok(names.includes(name), name);
    t.notOk(names.includes('readelf'));
    t.ok(missingRequirements(true).some((one) => one.name === 'readelf'));
    t.notOk(names.includes('bison'), 'compiling kernels is not asked for');
    t.ok(missingRequirements(false, true).some((one) => one.name === 'bison' && one.package === 'bison'));
    t.throws(requireTools, {
      code: 'packages-missing',
      message: /qemu-system-x86_64, clang, ld\.lld/,
      fix: /ksym-matrix setup, or: sudo apt-get install --no-install-recommends .*\bqemu-system-x86 clang lld\b/,
    });
  });
  const all = requirements();
  t.equal(new Set(all.map((one) => one.name)).size, all.length);
  for (const one of all) t.match(one.package, /^[a-z0-9][a-z0-9+.-]+$/, `${one.name} is in a package`);
});

t.test(
  'the browser of the tests is the one that is named, or any of its names in PATH, and nothing else counts',
  async (t) => {
    const folder = programs(t, { 'google-chrome': '#!/bin/sh\n', mine: '#!/bin/sh\n' });
    writeFileSync(join(folder, 'text'), 'no program');
    const before = process.env.KSYM_MATRIX_CHROMIUM;
    t.teardown(() => {
      if (before === undefined) delete process.env.KSYM_MATRIX_CHROMIUM;
      else process.env.KSYM_MATRIX_CHROMIUM = before;
    });
    delete process.env.KSYM_MATRIX_CHROMIUM;
    await withPath(folder, () => t.equal(findChromium(), join(folder, 'google-chrome')));
    const snaps = join(folder, 'snaps');
    mkdirSync(snaps);
    writeFileSync(join(snaps, 'snap'), '#!/bin/sh\n', { mode: 0o755 });
    symlinkSync('snap', join(snaps, 'chromium'));
    await withPath(`${snaps}:${folder}`, () => t.equal(findChromium(), join(folder, 'google-chrome'), 'no snap'));
    await withPath(snaps, () => t.equal(findChromium(), join(snaps, 'chromium'), 'but where there is nothing else'));
    process.env.KSYM_MATRIX_CHROMIUM = join(folder, 'mine');
    await withPath(folder, () => t.equal(findChromium(), join(folder, 'mine')));
    process.env.KSYM_MATRIX_CHROMIUM = join(folder, 'text');
    await withPath(folder, () => t.equal(findChromium(), undefined, 'a wrong name does not lead to another browser'));
    t.notOk(missingRequirements(false).some((one) => one.name === 'chromium'));
    t.ok(missingRequirements(true).some((one) => one.name === 'chromium'));
  },
);

t.test('where nothing can be installed, the exact line to run is given', async (t) => {
  // Neither apt-get nor sudo is in reach.
  await withPath('/nowhere', () =>
    t.rejects(installMissing({ tests: false, onStep: () => t.fail('nothing may be begun') }), {
      code: 'packages-missing',
      message: /missing on this system: .*clang/,
      fix: /install with your package manager: .*clang lld/,
    }),
  );
  // apt-get is there, but this user is not root and sudo asks for a password.
  const folder = programs(t, { 'apt-get': '#!/bin/sh\nexit 99\n', sudo: '#!/bin/sh\nexit 1\n' });
  const getuid = process.getuid;
  Object.defineProperty(process, 'getuid', { value: () => 1000, configurable: true });
  t.teardown(() => Object.defineProperty(process, 'getuid', { value: getuid, configurable: true }));
  await withPath(folder, () =>
    t.rejects(installMissing({ tests: false, onStep: () => t.fail('nothing may be begun') }), {
      code: 'packages-missing',
      fix: /^sudo apt-get update && sudo apt-get install --yes --no-install-recommends .*clang lld/,
    }),
  );
});

t.test('sudo without a password is used, and a failing apt-get is quoted', async (t) => {
  const record = join(t.testdir({}), 'record');
  const folder = programs(t, {
    // What sudo is given after -n is run as it is.
    sudo: `#!/bin/sh\necho "sudo $*" >>"${record}"\nshift\nexec "$@"\n`,
    'apt-get': `#!/bin/sh\necho "apt-get $*" >>"${record}"\n[ "$1" = update ] || { echo "E: Unable to fetch" >&2; exit 100; }\n`,
  });
  for (const name of ['env', 'true', 'sh']) symlinkSync(join('/usr/bin', name), join(folder, name));
  const getuid = process.getuid;
  Object.defineProperty(process, 'getuid', { value: () => 1000, configurable: true });
  t.teardown(() => Object.defineProperty(process, 'getuid', { value: getuid, configurable: true }));
  const steps: string[] = [];
  await withPath(folder, () =>
    t.rejects(installMissing({ tests: false, onStep: (text) => steps.push(text) }), {
      code: 'apt-failed',
      why: 'E: Unable to fetch',
      fix: /by hand: .*clang/,
    }),
  );
  t.equal(steps.length, 1);
  t.match(steps[0], /^Installing .*clang.* with apt$/);
});

t.test('a busybox that needs shared libraries does not count, and a script of that name is no busybox', async (t) => {
  const found = (path: string): Promise<string | undefined> =>
    withPath(path, () =>
      requirements()
        .find((one) => one.name === 'static busybox')
        ?.find(),
    );
  const real = findProgram('busybox') ?? '';
  const fixed = t.testdir({ dynamic: {}, static: {}, script: { busybox: '#!/bin/sh\n' } });
  copyFileSync('/bin/sh', join(fixed, 'dynamic/busybox'));
  copyFileSync(real, join(fixed, 'static/busybox'));
  chmodSync(join(fixed, 'script/busybox'), 0o755);
  t.equal(await found(join(fixed, 'dynamic')), undefined);
  t.equal(await found(join(fixed, 'static')), join(fixed, 'static/busybox'));
  t.equal(await found(join(fixed, 'script')), undefined);
});

t.test("GitHub's description is taken from npm only as what it is to be, and only if it is not there", async (t) => {
  const tools = programs(t, { npm: '' });
  const cache = join(tools, 'cache');
  const file = githubDescriptionPath(cache);
  const attempt = async (npm: string): Promise<{ error: unknown; steps: string[] }> => {
    writeFileSync(join(tools, 'npm'), `#!/bin/sh\n${npm}\n`);
    const steps: string[] = [];
    const error = await withPath(`${tools}:${process.env.PATH}`, () =>
      fetchGithubDescription(cache, { onStep: (text) => steps.push(text) }).catch((reason: unknown) => reason),
    );
    t.same(existsSync(join(file, '..')), error === file, 'all of it is there, or nothing');
    return { error, steps };
  };
  const offline = await attempt('echo "npm error code ENOTFOUND" >&2; exit 1');
  t.match(offline.error, {
    code: 'github-description-unavailable',
    why: 'npm error code ENOTFOUND',
    fix: /setup --tests/,
  });
  const other = await attempt('echo something else >"$4/octokit-openapi-23.0.2.tgz"');
  t.match(other.error, { code: 'github-description-unavailable', why: /^SHA-512 is / });
  t.equal(other.steps.length, 1, 'it was said');
  t.same(readdirSync(join(cache, 'tools')), ['.locks'], 'nothing is left');
  mkdirSync(join(file, '..'));
  writeFileSync(file, '{}');
  t.same(await attempt('exit 1'), { error: file, steps: [] }, 'what is there is not fetched again');
});
