import type { KernelIndex } from './kernel-index.ts';
import type { ResolvedKernel } from './kernel-source.ts';
import { snapshotAdvice } from './lock-errors.ts';
import type { KernelLock } from './lock-file.ts';
import type { LookedUp } from './look-up.ts';
import { type Flavour, type KernelRequest, requestKey, requestName, sourceOf } from './request.ts';

/** What has become of a kernel since it was last looked up. */
export interface KernelChange {
  /** As in the grid, or as the matrix calls it. */
  readonly name: string;
  /**
   * `added`: it was not known before; `vanished`: its source does not have it any more; `local`: it lies on this machine, so nobody was
   * asked.
   */
  readonly kind: 'unchanged' | 'changed' | 'added' | 'vanished' | 'local';
  /** Its version; null if it was not known before. */
  readonly before: string | null;
  /** Null if it has vanished, or lies on this machine. */
  readonly now: string | null;
  /** Where it comes from, for people. */
  readonly origin: string;
  /** What a person may want to do. */
  readonly advice: string | null;
}

/** What `kernels update` found, and what follows from it. */
export interface UpdatePlan {
  readonly changes: readonly KernelChange[];
  /** What is to be remembered. */
  readonly index: (before: KernelIndex) => KernelIndex;
  /** What is to be locked. */
  readonly lock: Omit<KernelLock, 'path'>;
}

/** A kernel of a matrix, by the name that the matrix gives it. */
export interface NamedRequest {
  readonly request: KernelRequest;
  readonly name: string | undefined;
}

/**
 * Compares what sources say with what was known: in the lock file if there is one, else in the cache.
 *
 * A line that `debian: all` stood for and that is gone is dropped. A kernel that the matrix names itself stays known, as it can be run as
 * long as the cache has it.
 */
export function planUpdate(
  requests: readonly NamedRequest[],
  found: LookedUp,
  known: { readonly index: KernelIndex; readonly lock: KernelLock | null },
): UpdatePlan {
  const { index, lock } = known;
  const old = (key: string): ResolvedKernel | undefined =>
    lock === null ? index.kernels[key]?.kernel : lock.kernels[key];
  const changes = new Map<string, KernelChange>();
  const kernels: Record<string, ResolvedKernel> = {};
  const add = (request: KernelRequest, name: string): void => {
    const key = requestKey(request);
    if (changes.has(key)) return;
    const before = old(key);
    const now = found.kernels.get(key)?.kernel;
    const kernel = now ?? before;
    if (kernel !== undefined) kernels[key] = kernel;
    changes.set(key, describe(name, sourceOf(request), before, now));
  };
  for (const { request, name } of requests) {
    if (!('debian' in request) || request.debian !== 'all') {
      add(request, name ?? requestName(request));
      continue;
    }
    const flavour = request.flavour ?? 'cloud';
    const lines = found.lines[flavour] ?? [];
    const all = lines.map((debian) => ({ ...request, debian }));
    const oldLines = (lock ?? index).lines[flavour] ?? [];
    for (const line of oldLines.filter((one) => !lines.includes(one))) {
      const gone = { ...request, debian: line };
      const before = old(requestKey(gone));
      const advice =
        before === undefined
          ? null
          : `It is left out from now on.${snapshotAdvice(before, ' To have it back, name it as')}.`;
      changes.set(requestKey(gone), { ...describe(requestName(gone), 'debian', before, null), advice });
    }
    for (const one of all) add(one, requestName(one));
  }
  return {
    changes: [...changes.values()],
    index: (before) => remember(before, found),
    lock: { kernels, lines: withoutUndefined(found.lines) },
  };
}

function remember(index: KernelIndex, found: LookedUp): KernelIndex {
  const resolvedAt = Date.now();
  const fresh = [...found.kernels].flatMap(([key, { kernel }]) =>
    kernel === null ? [] : [[key, { kernel, resolvedAt }] as const],
  );
  return {
    kernels: { ...index.kernels, ...Object.fromEntries(fresh) },
    lines: { ...index.lines, ...withoutUndefined(found.lines) },
  };
}

function describe(
  name: string,
  source: string,
  before: ResolvedKernel | undefined,
  now: ResolvedKernel | null | undefined,
): KernelChange {
  const versions = { name, before: before?.version ?? null, now: now?.version ?? null };
  const origin = (now ?? before)?.origin ?? source;
  if (now === undefined) return { ...versions, kind: 'local', origin, advice: null };
  if (now === null) {
    const advice =
      before === undefined
        ? 'The source does not have it: name another one.'
        : `It runs as long as the cache has it.${snapshotAdvice(before, ' To keep it, name it as')}`;
    return { ...versions, kind: 'vanished', origin, advice };
  }
  if (before === undefined) return { ...versions, kind: 'added', origin, advice: null };
  return { ...versions, kind: isSame(before, now) ? 'unchanged' : 'changed', origin, advice: null };
}

function isSame(left: ResolvedKernel, right: ResolvedKernel): boolean {
  const told = ({ folder, files }: ResolvedKernel): string =>
    JSON.stringify([folder, files.map(({ name, version, path, size, sha256 }) => [name, version, path, size, sha256])]);
  return told(left) === told(right);
}

function withoutUndefined(
  lines: Readonly<Partial<Record<Flavour, readonly string[]>>>,
): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(lines).filter(([, one]) => one !== undefined));
}
