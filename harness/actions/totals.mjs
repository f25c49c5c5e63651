// Prints, as outputs of a step, what the results in a file amount to. Plain JavaScript, because the gate must work whatever else does not.
import { readFileSync } from 'node:fs';

/** As in harness/results/verdicts.ts. */
const RED = ['fail', 'xpass', 'panic', 'timeout', 'infra', 'flaky'];
const [, , path, before] = process.argv;
const { totals, complete } = JSON.parse(readFileSync(path, 'utf8'));
const red = RED.reduce((sum, verdict) => sum + totals[verdict], 0);

const cells = Object.values(totals).reduce((sum, count) => sum + count, 0);

const outputs = {
  totals: JSON.stringify(totals),
  red,
  infra: totals.infra,
  // As `ksym-matrix run` ends: 3 if the harness broke, 1 if something is red. Where nothing was run, nothing is green.
  'exit-code': Math.max(Number(before), !complete || cells === 0 || totals.infra > 0 ? 3 : red > 0 ? 1 : 0),
};
process.stdout.write(
  Object.entries(outputs)
    .map(([name, value]) => `${name}=${value}\n`)
    .join(''),
);
