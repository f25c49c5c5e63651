import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import type { GuestFile } from './guest-file.ts';
import { initramfsPlace } from './guest-place.ts';
import { pushFiles } from './transfer.ts';

/** The modules of a kernel on the host: `directory` has `lib/modules/RELEASE` with depmod's tables and plain .ko files. */
export interface ModuleTree {
  readonly directory: string;
  readonly release: string;
}

/**
 * Loads modules by name, each after those that it needs, as far as the tree has them. What is not there is passed over, and what the kernel refuses too:
 * the caller sees whether the kernel can do then what it was to learn.
 */
export async function loadModules(agent: AgentConnection, tree: ModuleTree, names: readonly string[]): Promise<void> {
  const folder = join(tree.directory, 'lib', 'modules', tree.release);
  const table = await readFile(join(folder, 'modules.dep'), 'utf8').catch(() => '');
  const paths = new Set<string>();
  for (const name of names) {
    const line = table.split('\n').find((one) => basename(one.split(':')[0] ?? '') === `${name}.ko`);
    const [module = '', needed = ''] = line?.split(':') ?? [];
    // depmod lists what is needed in the reverse order of loading.
    for (const path of [...needed.trim().split(/\s+/).reverse(), module]) {
      if (path !== '' && existsSync(join(folder, path))) paths.add(path);
    }
  }
  if (paths.size === 0) return;
  const files = [...paths].map(
    (path): GuestFile => ({ kind: 'file', path: `/run/modules/${basename(path)}`, source: join(folder, path) }),
  );
  const place = initramfsPlace(agent);
  await pushFiles(place, files);
  const script = 'for module; do insmod "$module"; rm "$module"; done 2>/dev/null';
  await agent.execute({
    argv: [place.busybox, 'sh', '-c', script, 'sh', ...files.map(({ path }) => path)],
    environment: { PATH: '/bin' },
  });
}
