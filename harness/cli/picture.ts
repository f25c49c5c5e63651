import { renderPicture } from '../report/picture.ts';
import { readResults } from '../results/read.ts';
import { EXIT } from './exit-codes.ts';

/** `ksym-matrix picture`: the grid of a run as an SVG image, for docs/. */
export async function picture(place: string | undefined): Promise<number> {
  process.stdout.write(renderPicture(await readResults(place)));
  return EXIT.ok;
}
