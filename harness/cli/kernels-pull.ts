import { measure } from '../../kernels/disk-usage.ts';
import type { Flavour } from '../../kernels/request.ts';
import { type NamedRequest, planUpdate } from '../../kernels/update.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { formatBytes } from '../report/bytes.ts';
import { seconds } from '../report/summary.ts';
import { EXIT } from './exit-codes.ts';
import { findKernels, fromMemory, kernelsOfMatrix, type NamedKernel } from './kernel-names.ts';
import { type StoreContext, type StoreOptions, withStore } from './open-store.ts';

/** `ksym-matrix kernels pull`: gets kernels in their newest versions, or as they are locked. */
export async function pullKernels(
  names: readonly string[],
  options: StoreOptions & { readonly flavour: Flavour; readonly json?: true },
): Promise<number> {
  return withStore(options, async ({ store, matrix }) => {
    if (names.length === 0 && matrix === undefined) {
      throw new ExplainedError('no-matrix', 'there is no matrix.yaml in this folder', {
        fix: 'name one with --matrix FILE, or name kernels, such as 6.12',
      });
    }
    const wanted = await choose(names, options, { store, matrix });
    const pulled: unknown[] = [];
    for (const { name, request } of wanted) {
      const started = performance.now();
      const { release, version, source, image, directory } = await store.get(request);
      const milliseconds = Math.round(performance.now() - started);
      const bytes = (await measure(directory))?.bytes ?? 0;
      pulled.push({ name, release, version, source, image, bytes, milliseconds });
      if (options.json === true) continue;
      process.stdout.write(
        `${name}  ${release}  ${source}  ${formatBytes(bytes)}  ${seconds(milliseconds)}  ${image}\n`,
      );
    }
    if (options.json === true) process.stdout.write(`${JSON.stringify(pulled, undefined, 2)}\n`);
    return EXIT.ok;
  });
}

/** Which kernels are wanted; unless they are locked, their sources are asked anew, once, and that is remembered. */
async function choose(
  names: readonly string[],
  { flavour, locked }: StoreOptions & { readonly flavour: Flavour },
  { store, matrix }: Pick<StoreContext, 'store' | 'matrix'>,
): Promise<NamedKernel[]> {
  if (locked === true) {
    const known = await kernelsOfMatrix(matrix, store);
    return names.length === 0 ? known : findKernels(names, known, flavour);
  }
  const askAnew = async (requests: readonly NamedRequest[]): Promise<void> => {
    const found = await store.lookUp(requests.map(({ request }) => request));
    await store.changeIndex(planUpdate(requests, found, { index: await store.index(), lock: null }).index);
  };
  if (names.length === 0) {
    await askAnew(matrix?.kernels ?? []);
    return kernelsOfMatrix(matrix, store);
  }
  const wanted = findKernels(names, await kernelsOfMatrix(matrix, fromMemory(await store.index())), flavour);
  await askAnew(wanted);
  return wanted;
}
