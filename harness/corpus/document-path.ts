import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';

/** The document that is written from the baseline. */
export const CORPUS_DOCUMENT = join(PACKAGE_ROOT, 'docs', 'corpus.md');
