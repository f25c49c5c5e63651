import { cacheDirectory } from '../../kernels/cache-directory.ts';
import type { Flavour } from '../../kernels/request.ts';
import { GuestKernels } from './guest-kernels.ts';
import { interruptible } from './interrupt.ts';
import type { StoreOptions } from './open-store.ts';

/** Boots a kernel once and saves the machine, with what was read of it, as `run` does. @throws as {@link GuestKernels} does */
export async function bootForFacts(name: string, options: StoreOptions & { readonly flavour: Flavour }): Promise<void> {
  await interruptible(async (signal) => {
    const guests = await GuestKernels.create({ ...options, accel: 'auto', templates: true }, cacheDirectory(), signal);
    const isPlain = /^(\d+\.\d+|latest|newest)$/.test(name) && options.flavour !== 'cloud';
    const [guest] = await guests.select([isPlain ? `${name}-${options.flavour}` : name]);
    if (guest === undefined) return;
    const opened = await guests.open(guest, false, signal);
    await opened.close();
  });
}
