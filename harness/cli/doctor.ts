import { existsSync } from 'node:fs';
import { readdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { KernelStore } from '../../kernels/store.ts';
import { locateVirtmeNg } from '../../kernels/virtme-ng.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { readLoaderIndex } from '../loaders/loader-index.ts';
import { paintFor } from '../report/paint.ts';
import { findProgram, requirements } from '../setup/requirements.ts';
import { chooseAccelerator, kvmObstacle } from '../vm/accelerator.ts';
import { EXIT } from './exit-codes.ts';

/** One thing that was looked at. */
interface Finding {
  readonly name: string;
  readonly state: 'ok' | 'missing' | 'note';
  readonly text: string;
}

/** Kernels and run folders of the default matrix need about this much. */
const WANTED_BYTES = 2e9;

/** `ksym-matrix doctor` */
export async function doctor(options: { readonly json?: true }): Promise<number> {
  const cache = cacheDirectory();
  const findings = [
    { name: 'Node', state: 'ok', text: process.versions.node } as const,
    ...(await Promise.all(requirements().map(checkRequirement))),
    await checkVirtmeNg(cache),
    await checkAccelerator(cache),
    await checkLoaders(cache),
    await checkCache(cache),
  ];
  const healthy = findings.every((finding) => finding.state !== 'missing');
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ healthy, findings }, undefined, 2)}\n`);
  } else {
    const paint = paintFor(process.stdout);
    const width = Math.max(...findings.map((finding) => finding.name.length));
    for (const { name, state, text } of findings) {
      const mark = { ok: paint.good('✔ ok     '), missing: paint.bad('✖ missing'), note: paint.expected('○ note   ') }[
        state
      ];
      process.stdout.write(`${mark}  ${name.padEnd(width)}  ${text}\n`);
    }
    process.stdout.write(healthy ? '\nEverything is there.\n' : '\nTo install what is missing: ksym-matrix setup\n');
  }
  return healthy ? EXIT.ok : EXIT.broken;
}

async function checkRequirement(requirement: ReturnType<typeof requirements>[number]): Promise<Finding> {
  const { name, purpose, package: packageName, tests } = requirement;
  const found = requirement.find();
  if (found !== undefined)
    return { name, state: 'ok', text: [found, await versionOf(found)].filter((part) => part !== '').join('  ') };
  const text = `${purpose}; install ${packageName}${tests === true ? ' (for the tests alone)' : ''}`;
  return { name, state: tests === true ? 'note' : 'missing', text };
}

/** Programs whose version may explain a difference in results. */
const VERSIONED = new Set(['qemu-system-x86_64', 'clang', 'ld.lld', 'python3']);

async function versionOf(path: string): Promise<string> {
  if (!VERSIONED.has(path.split('/').at(-1) ?? '')) return '';
  const result = await execa(path, ['--version'], { reject: false, stdin: 'ignore' });
  return result.stdout?.split('\n')[0] ?? '';
}

/** Looks without fetching: the doctor changes nothing. */
async function checkVirtmeNg(cache: string): Promise<Finding> {
  try {
    const virtme = await locateVirtmeNg({ cache, source: new KernelStore({ cache, offline: true }).debian });
    return {
      name: 'virtme-ng',
      state: 'ok',
      text: `${virtme.version}, ${virtme.from === 'system' ? 'of the system' : 'in the cache'}`,
    };
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    return { name: 'virtme-ng', state: 'note', text: 'not there yet: the first run fetches it from Debian' };
  }
}

async function checkAccelerator(cache: string): Promise<Finding> {
  const name = 'accelerator';
  const obstacle = kvmObstacle();
  if (obstacle !== undefined) return { name, state: 'note', text: `TCG (emulation): ${obstacle}` };
  const qemu = findProgram('qemu-system-x86_64');
  const image = await anyImage(cache);
  if (qemu === undefined || image === undefined) {
    return {
      name,
      state: 'note',
      text: '/dev/kvm is there; whether it works shows when the first kernel is in the cache',
    };
  }
  const accelerator = await chooseAccelerator({ wanted: 'auto', image, qemu, cache });
  const works = accelerator.name === 'kvm';
  return { name, state: works ? 'ok' : 'note', text: `${works ? 'KVM' : 'TCG (emulation)'}: ${accelerator.reason}` };
}

async function anyImage(cache: string): Promise<string | undefined> {
  const kernels = join(cache, 'kernels');
  if (!existsSync(kernels)) return undefined;
  for (const kernel of await readdir(kernels)) {
    const boot = join(kernels, kernel, 'boot');
    const images = existsSync(boot) ? (await readdir(boot)).filter((file) => file.startsWith('vmlinuz')) : [];
    if (images[0] !== undefined) return join(boot, images[0]);
  }
  return undefined;
}

/** Loaders other than ours: built when a matrix names them. */
async function checkLoaders(cache: string): Promise<Finding> {
  const name = 'other loaders';
  const built = Object.entries(await readLoaderIndex(cache)).filter(
    ([, { builds }]) => builds.length > 0 && builds.every((build) => existsSync(join(cache, 'loaders', build))),
  );
  if (built.length === 0) return { name, state: 'note', text: 'none is built yet: the first run that names one does' };
  return { name, state: 'ok', text: `in the cache: ${built.map(([key]) => key).join(', ')}` };
}

async function checkCache(cache: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(cache);
  const free = bavail * bsize;
  const enough = free >= WANTED_BYTES;
  return {
    name: 'cache',
    state: enough ? 'ok' : 'note',
    text: `${cache}, ${(free / 1e9).toFixed(1)} GB free${enough ? '' : ' (2 GB are better: set KSYM_MATRIX_CACHE to another folder)'}`,
  };
}
