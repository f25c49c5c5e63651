/** What a kernel says of its version. */
export interface VersionTexts {
  /** As in `uname -r`. */
  readonly release: string;
  /** `/proc/version`, which has `uname -v` in it; absent or empty if it cannot be read. */
  readonly version?: string;
  /** `/proc/version_signature` of Ubuntu's kernels; absent elsewhere. */
  readonly signature?: string;
}

/**
 * LINUX_VERSION_CODE: `major << 16 | minor << 8 | patch`, the patch level 255 at most. Ubuntu and Debian name their releases by other
 * numbers than the kernel's and write that elsewhere (get_kernel_version in libbpf's src/libbpf_probes.c); `/proc/version` has Debian's compiler in it as well. Null if none of the texts has a version.
 */
export function kernelVersionCode({ release, version = '', signature = '' }: VersionTexts): number | null {
  const texts = [
    /^\S+ \S+ (\d+\.\d+\.\d+)/.exec(signature)?.[1],
    /#\d+ .*Debian (\d+\.\d+\.\d+)/.exec(version)?.[1],
    release,
  ];
  for (const text of texts) {
    const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text ?? '');
    const [major = 0, minor = 0, patch = 0] = match?.slice(1).map((digits) => Number(digits ?? 0)) ?? [];
    // Each has eight bits; with more it is no version.
    if (match !== null && major <= 255 && minor <= 255) return (major << 16) + (minor << 8) + Math.min(patch, 255);
  }
  return null;
}
