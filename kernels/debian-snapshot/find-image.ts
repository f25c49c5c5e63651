import { ExplainedError } from '../../loader/errors.ts';
import { compareVersions, lineOf } from '../debian/version.ts';
import type { Flavour } from '../request.ts';
import type { BinaryPackage, SnapshotService } from './service.ts';

/** Lines that the archive has a released kernel of, oldest first. */
export function linesOf(versions: readonly string[]): string[] {
  const lines = versions.filter(isReleased).flatMap((version) => lineOf(version) ?? []);
  return [...new Set(lines)].sort(compareVersions);
}

/**
 * The image package of the newest kernel of a line, or of an exact version, in one flavour. Signed images are preferred to those without
 * a signature for Secure Boot.
 *
 * @param wanted a line such as `5.9`, or the version of a package such as `5.9.15-1`
 * @throws ExplainedError `kernel-line-unknown`, with the lines, versions or flavours there are
 */
export async function findImage(service: SnapshotService, wanted: string, flavour: Flavour): Promise<BinaryPackage> {
  const versions = await service.sourceVersions('linux');
  const isLine = /^\d+\.\d+$/.test(wanted);
  const candidates = versions
    .filter((version) => (isLine ? lineOf(version) === wanted && isReleased(version) : version === wanted))
    .sort((a, b) => compareVersions(b, a));
  if (candidates.length === 0) throw unknownVersion(versions, wanted, isLine);
  const flavours = new Set<string>();
  for (const version of candidates.slice(0, MOST_VERSIONS)) {
    const images = await imagesOf(service, version);
    const found = images.filter((image) => image.flavour === flavour);
    const best = found.find(({ name }) => !name.endsWith('-unsigned')) ?? found[0];
    if (best !== undefined) return { name: best.name, version: best.version };
    for (const image of images) flavours.add(image.flavour);
  }
  const kinds = [...flavours].sort();
  throw new ExplainedError(
    'kernel-line-unknown',
    `the archive has no ${flavour} kernel of ${isLine ? 'line' : 'version'} ${wanted}`,
    {
      where: `kernel ${wanted}`,
      why:
        kinds.length === 0 ? 'it has no kernel for amd64 of these versions' : `it has the flavours ${kinds.join(', ')}`,
      fix: kinds.length === 0 ? 'Name another line.' : `Name one of these flavours, such as \`flavour: ${kinds[0]}\`.`,
    },
  );
}

/** Versions of a line that are looked into: the newest one is hardly ever without its images. */
const MOST_VERSIONS = 6;

const IMAGE = /^linux-image-\d+\.\d+\.\d+\S*?-((?:cloud-|rt-)?amd64)(?:-unsigned)?$/;
const FLAVOURS: Readonly<Record<string, Flavour>> = { 'cloud-amd64': 'cloud', amd64: 'generic', 'rt-amd64': 'rt' };

async function imagesOf(service: SnapshotService, version: string): Promise<(BinaryPackage & { flavour: Flavour })[]> {
  // Signed images are built from a source package of their own, whose version has a plus for the first hyphen.
  const sources: [string, string][] = [
    ['linux-signed-amd64', version.replace('-', '+')],
    ['linux', version],
  ];
  const packages = await Promise.all(sources.map(([source, its]) => service.binaryPackages(source, its)));
  return packages.flat().flatMap((one) => {
    const flavour = FLAVOURS[IMAGE.exec(one.name)?.[1] ?? ''];
    return flavour === undefined || one.version !== version ? [] : [{ ...one, flavour }];
  });
}

function isReleased(version: string): boolean {
  return !/~rc\d/.test(version);
}

function unknownVersion(versions: readonly string[], wanted: string, isLine: boolean): ExplainedError {
  const sameLine = versions.filter((version) => lineOf(version) === lineOf(wanted)).sort(compareVersions);
  const useVersions = !isLine && sameLine.length > 0;
  const known = useVersions ? sameLine : linesOf(versions);
  return new ExplainedError(
    'kernel-line-unknown',
    `the archive has no kernel of ${isLine ? 'line' : 'version'} ${wanted}`,
    {
      where: `kernel ${wanted}`,
      why: known.length === 0 ? 'it has no kernels at all' : `it has ${known.join(', ')}`,
      fix:
        isLine && sameLine.length > 0
          ? 'Of this line it has candidates only: name one of them in full.'
          : 'Name one of these.',
    },
  );
}
