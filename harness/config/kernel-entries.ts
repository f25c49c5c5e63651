import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { type KernelRequest, requestKey, requestName, SOURCE_NAMES } from '../../kernels/request.ts';
import type { KernelEntry } from './schema.ts';
import type { Finding } from './yaml-file.ts';

/** An entry of the matrix's kernels: what is wanted, and how it is called. */
export interface MatrixKernel {
  readonly request: KernelRequest;
  /** The name that the matrix gives it. */
  readonly name: string | undefined;
}

/** What is wrong with the kernels of a matrix. Which kernels `latest` and `all` stand for is not known here. */
export function checkKernels(entries: readonly KernelEntry[]): Finding[] {
  const findings = entries.flatMap((entry, index) =>
    checkEntry(entry).map(({ key, message }) => ({
      path: ['kernels', index, ...(key === undefined ? [] : [key])],
      message,
      ...(key === undefined ? {} : { atKey: true }),
    })),
  );
  if (findings.length > 0) return findings;
  const keys = entries.map((entry) => entry.name ?? requestKey(toRequest(entry, '/')));
  const names = entries.map((entry) => entry.name ?? requestName(toRequest(entry, '/')));
  return names.flatMap((name, index) => {
    const isSame = keys.indexOf(keys[index] ?? '') !== index;
    if (!isSame && names.indexOf(name) === index) return [];
    const message = isSame
      ? `kernel "${name}" is listed twice`
      : `there is another kernel of the name "${name}": give one of them a name of its own`;
    return [{ path: ['kernels', index], message }];
  });
}

/**
 * The requests behind entries that {@link checkKernels} finds nothing wrong with.
 * @param directory where relative paths count from
 */
export function readKernels(entries: readonly KernelEntry[], directory: string): MatrixKernel[] {
  return entries.map((entry) => ({ request: toRequest(entry, directory), name: entry.name }));
}

const WITH_FLAVOUR: readonly string[] = ['debian', 'debian-snapshot'];

function checkEntry(entry: KernelEntry): { key?: string; message: string }[] {
  const [source, second] = SOURCE_NAMES.filter((name) => entry[name] !== undefined);
  if (source === undefined) {
    return [{ message: `a kernel has one of the keys ${SOURCE_NAMES.join(', ')}, which says where it comes from` }];
  }
  if (second !== undefined) {
    return [{ key: second, message: `a kernel has one source, and this one has two: ${source} and ${second}` }];
  }
  const foreign = [
    ...(entry.flavour !== undefined && !WITH_FLAVOUR.includes(source) ? ['flavour'] : []),
    ...(['modules', 'config'] as const).filter((key) => entry[key] !== undefined && source !== 'image'),
  ];
  if (foreign.length > 0) {
    return foreign.map((key) => ({
      key,
      message: `"${key}" belongs to ${key === 'flavour' ? WITH_FLAVOUR.join(' and ') : 'image'}, not to ${source}`,
    }));
  }
  if (entry.debian === 'all' && entry.name !== undefined) {
    return [{ key: 'name', message: '"all" stands for many kernels, which cannot have one name' }];
  }
  const empty = [...Object.entries(entry), ['build', entry.build?.source]].filter(([, value]) => value === '');
  if (empty.length > 0) return empty.map(([key]) => ({ key: String(key), message: 'this is empty' }));
  const version = entry.debian ?? entry['debian-snapshot'] ?? entry['ubuntu-mainline'];
  const [, line, flavour] = /^(\d+\.\d+)-(cloud|generic|rt)$/.exec(version ?? '') ?? [];
  if (flavour !== undefined) {
    const advice = WITH_FLAVOUR.includes(source)
      ? `write ${source}: "${line}" and flavour: ${flavour}`
      : `write "${line}"`;
    return [{ key: source, message: `"${version}" is a line and a flavour: ${advice}` }];
  }
  if (version !== undefined && !isVersion(version, source)) {
    return [
      {
        key: source,
        message: `"${version}" is no line such as "6.12"${source === 'debian' ? ', no exact version such as "6.12.117-1", and neither "latest" nor "all"' : ', and no exact version'}`,
      },
    ];
  }
  return [];
}

function isVersion(text: string, source: string): boolean {
  return (
    (source === 'debian' && /^(latest|newest|all)$/.test(text)) || /^v?\d+\.\d+([.~+-]?[A-Za-z0-9.~+-]*)$/.test(text)
  );
}

/** Checked before: exactly one source is there. */
function toRequest(entry: KernelEntry, directory: string): KernelRequest {
  const { debian, oci, image, tree, build, flavour } = entry;
  const snapshot = entry['debian-snapshot'];
  const mainline = entry['ubuntu-mainline'];
  const path = (text: string): string => resolve(directory, text.replace(/^~(?=\/|$)/, homedir()));
  const optional = (key: 'modules' | 'config'): Record<string, string> => {
    const value = entry[key];
    return value === undefined ? {} : { [key]: path(value) };
  };
  const withFlavour = flavour === undefined ? {} : { flavour };
  if (debian !== undefined) return { debian, ...withFlavour };
  if (snapshot !== undefined) return { 'debian-snapshot': snapshot, ...withFlavour };
  if (mainline !== undefined) return { 'ubuntu-mainline': mainline };
  if (oci !== undefined) return { oci };
  if (image !== undefined) return { image: path(image), ...optional('modules'), ...optional('config') };
  if (tree !== undefined) return { tree: path(tree) };
  if (build !== undefined) {
    const source = /^debian-\d/.test(build.source) ? build.source : path(build.source);
    // An option in the place of a fragment's path stays what it is.
    const config = build.config?.map((text) => (/^CONFIG_\w+=/.test(text) ? text : path(text)));
    return {
      build: {
        source,
        ...(config === undefined ? {} : { config }),
        ...(build.modules === undefined ? {} : { modules: build.modules }),
      },
    };
  }
  return { host: true };
}
