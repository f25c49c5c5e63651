import { setTimeout as sleep } from 'node:timers/promises';
import { MachineError } from './errors.ts';
import type { QmpClient } from './qmp.ts';

/**
 * QEMU's state outside RAM, through its migration (docs/devel/migration): the RAM lies in a file of its own, and the capability
 * `x-ignore-shared` (QEMU 4.0) leaves it out of the stream, which is then 0.4 MB. QEMU turns that capability's name down for
 * RAM that is mapped privately nowhere: a state saved from a shared mapping can be loaded over a private one.
 */
const CAPABILITIES = { capabilities: [{ capability: 'x-ignore-shared', state: true }] };

/** Far more than any disk: QEMU would otherwise pace itself to 128 MiB/s. */
const MAX_BANDWIDTH = 2 ** 33;

/**
 * Stops the guest and writes its state, without RAM, to `path`. The guest stays stopped.
 * @throws MachineError `save-failed` with QEMU's own words
 */
export async function saveState(qmp: QmpClient, path: string, signal: AbortSignal): Promise<void> {
  await qmp.execute('stop');
  await qmp.execute('migrate-set-capabilities', CAPABILITIES);
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': MAX_BANDWIDTH });
  await qmp.execute('migrate', { uri: `exec:cat >${shellQuote(path)}` });
  const failure = await migrationEnd(qmp, signal);
  if (failure !== null)
    throw new MachineError('save-failed', "the machine's state cannot be saved", 'boot', { where: path, why: failure });
}

/**
 * Loads a state that {@link saveState} wrote into a QEMU that was started with `-incoming defer`. The guest stays stopped.
 * @throws MachineError `restore-failed` with QEMU's own words
 */
export async function loadState(qmp: QmpClient, path: string, signal: AbortSignal): Promise<void> {
  await qmp.execute('migrate-set-capabilities', CAPABILITIES);
  // exec: and not file:, which is there from QEMU 8.2 on only.
  await qmp.execute('migrate-incoming', { uri: `exec:cat <${shellQuote(path)}` });
  const failure = await migrationEnd(qmp, signal);
  if (failure !== null)
    throw new MachineError('restore-failed', 'QEMU does not take the saved state', 'boot', {
      where: path,
      why: failure,
    });
}

/** Null when the migration has completed, else why it failed. */
async function migrationEnd(qmp: QmpClient, signal: AbortSignal): Promise<string | null> {
  for (;;) {
    signal.throwIfAborted();
    const info = (await qmp.execute('query-migrate')) as { status?: string; 'error-desc'?: string };
    if (info.status === 'completed') return null;
    if (info.status === 'failed' || info.status === 'cancelled')
      return info['error-desc'] ?? `migration ${info.status}`;
    await sleep(2, undefined, { signal });
  }
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
