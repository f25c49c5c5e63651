import { join } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { BASELINE_PATH, readBaseline, writeBaseline } from '../corpus/baseline.ts';
import { compareWithBaseline } from '../corpus/compare.ts';
import { readExpectations } from '../corpus/expectations.ts';
import { judgeResults } from '../corpus/judge-results.ts';
import { redLines, renderDocument, renderFigures } from '../corpus/render.ts';
import { CORPUS_KERNELS, LAST_RUN, runCorpus } from '../corpus/run-corpus.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { writeWhole } from '../results/write.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';

export interface CorpusOptions {
  readonly kernel?: string[];
  readonly object?: string[];
  readonly jobs?: number;
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly check?: true;
  readonly update?: true;
  readonly debianMirror?: string;
  readonly locked?: true;
}

/** Where the document is. */
export const CORPUS_DOCUMENT = join(PACKAGE_ROOT, 'docs', 'corpus.md');

/** `ksym-matrix corpus`: for who works on the loader. */
export async function corpus(options: CorpusOptions): Promise<number> {
  const part = options.kernel !== undefined || options.object !== undefined;
  if (options.update === true && (part || options.check === true)) {
    throw new ConfigError('corpus-usage', '--update wants the whole corpus', {
      fix: 'leave out --kernel, --object and --check',
    });
  }
  return interruptible(async (signal) => {
    const cache = cacheDirectory();
    const results = await runCorpus({
      cache,
      mirror: options.debianMirror,
      accel: options.accel,
      locked: options.locked,
      kernels: options.kernel ?? CORPUS_KERNELS,
      objects: options.object ?? [],
      jobs: options.jobs ?? 2,
      say: (text) => void process.stderr.write(`ksym-matrix: ${text}\n`),
      signal,
    });
    const judgement = judgeResults(results, await readExpectations());
    for (const line of renderFigures(results, judgement)) process.stdout.write(`${line}\n`);
    const red = redLines(results, judgement);
    if (!part) red.push(...judgement.unused.map((text) => `expectations.yaml: nothing is like this any more: ${text}`));
    if (options.check === true) red.push(...compareWithBaseline(results, await readBaseline(), !part));
    if (options.update === true) {
      await writeBaseline(results);
      await writeWhole(CORPUS_DOCUMENT, renderDocument(results, judgement));
      process.stderr.write(`ksym-matrix: wrote ${BASELINE_PATH} and ${CORPUS_DOCUMENT}\n`);
    }
    if (red.length > 0) process.stdout.write(`\n${red.join('\n')}\n`);
    process.stderr.write(`ksym-matrix: what both loaders said: ${join(cache, 'corpus', LAST_RUN)}\n`);
    return red.length === 0 ? EXIT.ok : EXIT.red;
  });
}
