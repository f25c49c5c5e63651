import { runBenches } from '../bench/run-benches.ts';
import { requireTools } from '../setup/install.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';

export interface BenchCommandOptions {
  readonly quick?: true;
  readonly only?: string[];
  readonly kernels: 'cached' | 'all';
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly json?: string;
}

/** `ksym-matrix bench`: for who works on ksym-matrix itself. */
export async function bench(options: BenchCommandOptions): Promise<number> {
  requireTools();
  return interruptible(async (signal) => {
    try {
      await runBenches({
        quick: options.quick === true,
        only: options.only ?? [],
        allKernels: options.kernels === 'all',
        accelerator: options.accel,
        json: options.json,
        say: (text) => void process.stderr.write(`${text}\n`),
        signal,
      });
      return EXIT.ok;
    } catch (error) {
      if (!signal.aborted) throw error;
      return EXIT.interrupted;
    }
  });
}
