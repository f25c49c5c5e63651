import t from 'tap';
import { classifyKnownWords } from '../../loaders/known-words.ts';
import type { LoaderRun } from '../../loaders/run-loader.ts';
import { describeEvidence } from '../describe-cell.ts';
import { describeLoaderRun, printedBy } from '../loader-outcome.ts';

const LOADER = { name: 'mine', classify: classifyKnownWords };

const DESCRIBED = { consoleLines: [], state: null, durationMs: 1, console: null, splats: [], leftovers: [] };

const printing = (stderr: string): LoaderRun => {
  const nothing = { answer: null, fault: null, signal: null, timedOut: false, stdout: '', observation: null };
  return { ...nothing, exitCode: 1, stderr };
};
const refuse = (stderr: string) => describeLoaderRun(printing(stderr), null, LOADER, 60);

t.test('a loader that prints without end is understood by what it said first and last, and soon', (t) => {
  const why = "libbpf: extern (var ksym) 'x': not found in kernel BTF\n";
  const understood = { class: refuse(why)?.class, extern: 'x' };
  t.not(understood.class, 'loader-refused', 'these are words that are known');
  const started = performance.now();
  const flood = 'y\n'.repeat(8 << 20);
  t.match(refuse(why + flood), understood);
  t.match(refuse(flood + why), understood);
  const numbered = Array.from({ length: 1 << 19 }, (_, at) => `${at}\n`).join('');
  t.match(refuse(numbered + why), understood);
  const line = refuse('x'.repeat(32 << 20));
  t.match(line, { class: 'loader-refused', message: /^mine: x{2000} …$/ });
  const seconds = (performance.now() - started) / 1000;
  // Each of the floods took most of a minute when every line was looked at.
  t.ok(seconds < 20, `${seconds} s`);
  t.end();
});

t.test('colours and what else is for a terminal are no part of what a loader says', (t) => {
  const why = "\x1b[31mERROR\x1b[0m libbpf: extern (var ksym) 'x': not found in kernel BTF\x1b[0m\r\n";
  t.match(refuse(why), {
    class: 'ksym-not-in-btf',
    extern: 'x',
    message: "mine: ERROR libbpf: extern (var ksym) 'x': not found in kernel BTF",
  });
  t.match(refuse('50 %\r100 %\rcannot load\x07\n'), { message: 'mine: cannot load' });
  const printed = { log: `${why}\ttabs stay\n\x9b2Jé\n`, document: null };
  const outcome = { phase: 'load', class: 'ok', message: '', resolutions: [], printed } as const;
  t.same(describeEvidence({ ...DESCRIBED, outcome }).loaderOutput, [
    "ERROR libbpf: extern (var ksym) 'x': not found in kernel BTF",
    '\ttabs stay',
    'é',
  ]);
  t.end();
});

t.test('of a log without end a few megabytes are kept, and it says what is missing', (t) => {
  const { log } = printedBy(printing(`first${'x'.repeat(5 << 20)}last\n`));
  t.match(log, /^first/);
  t.match(log, /\n\.\.\. 3145737 characters are left out here \.\.\.\n/);
  t.match(log, /last\n$/);
  t.ok(log.length < 3 << 20);
  t.equal(printedBy(printing('\x1b[31mred\x1b[0m\n')).log, '\x1b[31mred\x1b[0m\n', 'what is kept is as it was');
  t.end();
});
