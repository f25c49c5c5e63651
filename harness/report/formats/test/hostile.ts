import type { CellResult, RunResults } from '../../../results/results.ts';
import { cell, results, sampleKernel, WARNED } from '../../test/samples.ts';

/** Text that means something to XML, to TAP, to YAML or to a terminal, or that one of them does not allow. */
export const HOSTILE = [
  '</failure><b a="1" c=\'2\'>]]> <!-- & &amp; <![CDATA[',
  'not ok 99 - injected # TODO',
  'Bail out! injected',
  '1..0',
  'pragma +strict',
  '---',
  '...',
  'key: [value, {',
  '\u001b[31mred\u001b[0m \0 \u0007 \u009b1m \u007f \r\n',
  '\ud800 \ufffe \uffff \u2028 😀 ü',
  '\\# \\\\ #',
].join('\n');

/** A run in which every name and text is hostile, with every verdict; names of programs are told apart by a number. */
export function hostileResults(): RunResults {
  const verdicts = ['pass', 'xfail', 'fail', 'xpass', 'panic', 'timeout', 'infra', 'flaky'] as const;
  const cells = verdicts.map((verdict, index): CellResult => {
    const made = cell('5.10', `${index} ${HOSTILE} {`, verdict, {
      variant: index % 2 === 0 ? 'default' : HOSTILE,
      why: HOSTILE,
      expected: { outcome: 'works', reason: HOSTILE, source: HOSTILE },
      location: { path: HOSTILE, line: 3, text: HOSTILE, about: HOSTILE },
      verifierLog: `${HOSTILE}\n\n${HOSTILE}`,
      splats: [{ ...WARNED, text: HOSTILE, rule: HOSTILE }],
    });
    const { durationMs, evidence } = made;
    const attempt = { verdict, class: HOSTILE, why: HOSTILE, durationMs, console: null, evidence };
    const outcome = { ...made.outcome, message: HOSTILE };
    return { ...made, outcome, ...(verdict === 'flaky' ? { attempts: [attempt, attempt] } : {}) };
  });
  return results(cells, {
    kernels: [sampleKernel('5.10', { release: HOSTILE, version: HOSTILE, source: HOSTILE })],
    matrix: { path: HOSTILE, title: HOSTILE },
  });
}
