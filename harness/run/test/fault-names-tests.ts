import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { Verdict } from '../../results/verdicts.ts';
import { MachineError, type MachineErrorCode } from '../../vm/errors.ts';
import type { SplatKind } from '../../vm/splat-rules.ts';
import type { ConsoleSplat } from '../../vm/splats.ts';
import { describeMachineFailure, endsMachine } from '../machine-failure.ts';
import type { Outcome } from '../outcome.ts';
import { withSplats } from '../splat-outcome.ts';
import { judge } from '../verdict.ts';

t.test('each fault of a machine has its class and its verdict', (t) => {
  const wanted: Readonly<Record<MachineErrorCode, readonly [Outcome['class'], Verdict]>> = {
    'kernel-panic': ['kernel-panic', 'panic'],
    'kernel-oops': ['kernel-oops', 'panic'],
    'kernel-lockup': ['kernel-lockup', 'timeout'],
    'kernel-hung-task': ['kernel-hung-task', 'timeout'],
    'guest-out-of-memory': ['guest-out-of-memory', 'fail'],
    'machine-ended': ['machine-ended', 'panic'],
    'agent-killed': ['agent-killed', 'fail'],
    'agent-hung': ['agent-hung', 'timeout'],
    'vm-silent': ['vm-silent', 'timeout'],
    'boot-timeout': ['vm-silent', 'timeout'],
    'qemu-exited': ['infra', 'infra'],
    'qemu-stopped': ['infra', 'infra'],
    'qemu-missing': ['infra', 'infra'],
    'qemu-failed': ['infra', 'infra'],
    'guest-paused': ['infra', 'infra'],
    'kvm-failed': ['infra', 'infra'],
    'agent-ended': ['infra', 'infra'],
    'channel-garbled': ['infra', 'infra'],
    'harness-stalled': ['infra', 'infra'],
    'save-failed': ['infra', 'infra'],
    'restore-failed': ['infra', 'infra'],
    'plan-failed': ['infra', 'infra'],
    'kernel-lacks-driver': ['infra', 'infra'],
    'no-temporary-folder': ['infra', 'infra'],
  };
  const documented = readFileSync(join(PACKAGE_ROOT, 'docs', 'reliability.md'), 'utf8');
  for (const [code, [kind, verdict]] of Object.entries(wanted) as [MachineErrorCode, (typeof wanted)['vm-silent']][]) {
    const outcome = describeMachineFailure(new MachineError(code, 'what happened', 'run'));
    t.match(outcome, { phase: 'run', class: kind, fault: kind === 'infra' ? code : undefined });
    const expected = { outcome: 'works', externs: {}, reason: '', source: '' } as const;
    t.equal(judge(outcome, expected).verdict, verdict, code);
    t.equal(endsMachine(outcome), true);
    if (code !== 'boot-timeout') t.match(documented, `\`${code}\``, 'it is documented');
  }
  t.end();
});

t.test('what the kernel complains of has a class', (t) => {
  const seen = (kind: SplatKind, allowed: string | null = null): ConsoleSplat[] => [
    { rule: 'a-rule', kind, line: 1, text: 'trouble', allowed, block: [] },
  ];
  const ok: Outcome = { phase: 'check', class: 'ok', message: 'all is well', resolutions: [] };
  t.match(withSplats(ok, seen('out-of-memory')), { class: 'guest-out-of-memory', message: /trouble.*all is well/ });
  t.match(withSplats(ok, seen('hung-task')), { class: 'kernel-hung-task' });
  for (const kind of ['warning', 'rcu', 'lockdep', 'sanitizer'] as const) {
    t.match(withSplats(ok, seen(kind)), { phase: 'run', class: 'kernel-splat' });
  }
  t.equal(withSplats(ok, seen('warning', 'harmless')), ok);
  t.equal(endsMachine(withSplats(ok, seen('rcu'))), true, 'the next cell gets another machine');
  t.end();
});

t.test('the table of faults names tests that are there', (t) => {
  const read = (path: string): string => readFileSync(join(PACKAGE_ROOT, path), 'utf8');
  const sources = [
    ...['faults.test', 'fault-table', 'template.test', 'machine.test'].map((name) => `harness/vm/test/${name}.ts`),
    ...['faults-run.test', 'fault-names-tests', 'injections'].map((name) => `harness/run/test/${name}.ts`),
  ].map(read);
  // A flood is of two things.
  const code = sources
    .join('')
    .replaceAll(/a flood of \$\{target\}/g, 'a flood of the log costs no answer a flood of the console');
  const section = read('docs/reliability.md').split('\n## ')[1] ?? '';
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  t.ok(rows.length > 25);
  for (const row of rows) {
    const [fault = '', tests = ''] = row.slice(2).split(' | ');
    const titles = [...tests.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title);
    t.ok(titles.length > 0, fault);
    for (const title of titles) t.ok(code.includes(title), title);
  }
  t.end();
});
