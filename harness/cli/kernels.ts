import { resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { type Flavour, type KernelRequest, KernelStore } from '../../kernels/store.ts';
import { loadMatrix } from '../config/load.ts';
import { paintFor } from '../report/paint.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';
import { createProgressView, megabytes } from './progress.ts';

interface StoreCommandOptions {
  readonly flavour: Flavour;
  readonly debianMirror?: string;
}

/** `ksym-matrix kernels list` */
export async function listKernels(options: StoreCommandOptions & { refresh?: true; json?: true }): Promise<number> {
  const kernels = await withStore(options, undefined, (store) =>
    store.list(options.flavour, { refresh: options.refresh === true }),
  );
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(kernels, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const paint = paintFor(process.stdout);
  const rows = kernels.map((kernel) => [
    kernel.line,
    kernel.release,
    kernel.version,
    kernel.suite,
    `${megabytes(kernel.bytes)} MB`,
    kernel.cached ? 'in the cache' : '',
  ]);
  const header = ['line', 'release', 'version', 'suite', 'download', ''];
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const layOut = (row: readonly string[]): string =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  process.stdout.write(`${[paint.strong(layOut(header)), ...rows.map(layOut)].join('\n')}\n`);
  return EXIT.ok;
}

/** `ksym-matrix kernels pull` */
export async function pullKernels(
  lines: readonly string[],
  options: StoreCommandOptions & { matrix: string },
): Promise<number> {
  const matrix = lines.length === 0 ? await loadMatrix(resolve(options.matrix)) : undefined;
  const requests: KernelRequest[] =
    matrix === undefined
      ? lines.map((debian) => ({ debian, flavour: options.flavour }))
      : matrix.kernels.map(({ request }) => request);
  await withStore(options, matrix?.mirror, async (store) => {
    const expanded = await Promise.all(requests.map((request) => store.expand(request, { refresh: true })));
    for (const request of expanded.flat()) {
      const kernel = await store.get(request, { refresh: true });
      process.stdout.write(`${kernel.name}  ${kernel.release}  ${kernel.source}  ${kernel.image}\n`);
    }
  });
  return EXIT.ok;
}

async function withStore<T>(
  options: StoreCommandOptions,
  mirror: string | undefined,
  work: (store: KernelStore) => Promise<T>,
): Promise<T> {
  const view = createProgressView(process.stderr);
  try {
    return await interruptible((signal) =>
      work(
        new KernelStore({
          cache: cacheDirectory(),
          mirror: { option: options.debianMirror, matrix: mirror },
          onProgress: (progress) => view.show({ kind: 'kernel-progress', progress }),
          onMessage: (text) => view.show({ kind: 'warning', text }),
          signal,
        }),
      ),
    );
  } finally {
    view.end();
  }
}
