import { measure } from '../../kernels/disk-usage.ts';
import type { Flavour } from '../../kernels/request.ts';
import { planUpdate } from '../../kernels/update.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { formatBytes } from '../report/bytes.ts';
import { seconds } from '../report/summary.ts';
import { EXIT } from './exit-codes.ts';
import { findKernels, kernelsOfMatrix } from './kernel-names.ts';
import { type StoreOptions, withStore } from './open-store.ts';

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
    if (options.locked !== true && names.length === 0) {
      // Which lines there are is asked anew, and each one's newest version.
      const requests = matrix?.kernels ?? [];
      const found = await store.lookUp(requests.map(({ request }) => request));
      const plan = planUpdate(requests, found, { index: await store.index(), lock: null });
      await store.changeIndex(plan.index);
    }
    const known = await kernelsOfMatrix(matrix, store);
    const wanted = names.length === 0 ? known : findKernels(names, known, options.flavour);
    if (options.locked !== true && names.length > 0) {
      const found = await store.lookUp(wanted.map(({ request }) => request));
      await store.changeIndex(planUpdate(wanted, found, { index: await store.index(), lock: null }).index);
    }
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
