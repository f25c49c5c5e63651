import { join } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { type CorpusResults, readBaseline, writeBaseline } from '../corpus/baseline.ts';
import { compareWithBaseline } from '../corpus/compare.ts';
import { CORPUS_DOCUMENT } from '../corpus/document-path.ts';
import { readExpectations } from '../corpus/expectations.ts';
import { judgeResults } from '../corpus/judge-results.ts';
import { redLines, renderDocument, renderFigures } from '../corpus/render.ts';
import { CORPUS_KERNELS, LAST_RUN, runCorpus } from '../corpus/run-corpus.ts';
import { writeWhole } from '../results/write.ts';
import { EXIT } from './exit-codes.ts';
import { interruptible } from './interrupt.ts';

export interface CorpusOptions {
  readonly matrix?: string;
  readonly kernel?: string[];
  readonly object?: string[];
  readonly jobs?: number;
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly check?: true;
  readonly update?: true;
  readonly render?: true;
  readonly fresh?: true;
  readonly debianMirror?: string;
  readonly locked?: true;
}

/** `ksym-matrix corpus`: for who works on the loader. */
export async function corpus(options: CorpusOptions): Promise<number> {
  const part = options.kernel !== undefined || options.object !== undefined;
  if (options.update === true && (part || options.check === true)) {
    throw new ConfigError('corpus-usage', '--update wants the whole corpus', {
      fix: 'leave out --kernel, --object and --check',
    });
  }
  if (options.render === true) {
    await writeDocument(await readBaseline());
    return EXIT.ok;
  }
  return interruptible(async (signal) => {
    const cache = cacheDirectory();
    const expectations = await readExpectations();
    const results = await runCorpus({
      cache,
      mirror: options.debianMirror,
      accel: options.accel,
      locked: options.locked,
      matrix: options.matrix,
      kernels: options.kernel ?? CORPUS_KERNELS,
      objects: options.object ?? [],
      fresh: options.fresh === true,
      tooHeavy: expectations.tooHeavy.objects,
      jobs: options.jobs ?? 2,
      say: (text) => void process.stderr.write(`ksym-matrix: ${text}\n`),
      signal,
    });
    const judgement = judgeResults(results, expectations);
    for (const line of renderFigures(results, judgement)) process.stdout.write(`${line}\n`);
    const red = redLines(results, judgement);
    if (!part) red.push(...judgement.unused.map((text) => `expectations.yaml: nothing is like this any more: ${text}`));
    if (options.check === true) red.push(...compareWithBaseline(results, await readBaseline(), !part));
    if (options.update === true) {
      await writeBaseline(results);
      await writeDocument(results);
    }
    if (red.length > 0) process.stdout.write(`\n${red.join('\n')}\n`);
    process.stderr.write(`ksym-matrix: what both loaders said: ${join(cache, 'corpus', LAST_RUN)}\n`);
    return red.length === 0 ? EXIT.ok : EXIT.red;
  });
}

async function writeDocument(results: CorpusResults): Promise<void> {
  const judgement = judgeResults(results, await readExpectations());
  await writeWhole(CORPUS_DOCUMENT, renderDocument(results, judgement));
  process.stderr.write(`ksym-matrix: wrote ${CORPUS_DOCUMENT}\n`);
}
