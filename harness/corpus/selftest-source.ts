import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DebianPackages, WantedPackage } from '../../kernels/debian/package-files.ts';
import { unpackDeb } from '../../kernels/debian/unpack.ts';
import { populateDirectory } from '../../kernels/populate.ts';
import { runTool, toolFailed } from '../../kernels/run-tool.ts';
import { SELFTESTS } from './packages.ts';

/** What the selftests are compiled from, below the source's root. */
const FOLDERS = ['tools/testing/selftests/bpf', 'tools/include'] as const;

/** The source of the kernel's BPF selftests. */
export interface SelftestSource {
  /** The root of the kernel's source, of which only {@link FOLDERS} are there. */
  readonly directory: string;
  /** The package's version. */
  readonly version: string;
  /** Of the package's bytes, in hexadecimal. */
  readonly key: string;
}

/**
 * The BPF selftests out of Debian's package of the kernel's source: 26 MB of its 1.6 GB.
 * @param wanted the package of a kernel's source; default: that of the corpus
 * @throws ExplainedError `selftests-unpack-failed`, and those of {@link DebianPackages}
 */
export async function selftestSource(
  packages: DebianPackages,
  options: { readonly cache: string; readonly signal: AbortSignal },
  wanted: WantedPackage = SELFTESTS,
): Promise<SelftestSource> {
  const { deb, one } = await packages.fetch(wanted);
  const key = one.sha256.slice(0, 16);
  const directory = join(options.cache, 'corpus', 'packages', `selftests-${key}`);
  const { signal } = options;
  await populateDirectory(
    directory,
    async (temporary) => {
      const scratch = join(temporary, '.package');
      await unpackDeb(deb, scratch, (path) => !path.endsWith('.tar.xz'), signal);
      await mkdir(scratch, { recursive: true });
      const archive = join(scratch, 'usr/src', `${one.name}.tar.xz`);
      const wanted = FOLDERS.map((folder) => `${one.name}/${folder}`);
      const args = ['-x', '-f', archive, '-C', temporary, '--strip-components=1', '--no-same-owner', ...wanted];
      const result = await runTool('tar', args, { package: 'tar', signal });
      if (result.exitCode !== 0) {
        throw toolFailed(result, 'selftests-unpack-failed', 'the source of the selftests cannot be unpacked', archive);
      }
      await rm(scratch, { recursive: true, force: true });
    },
    { signal },
  );
  return { directory, version: one.version, key };
}
