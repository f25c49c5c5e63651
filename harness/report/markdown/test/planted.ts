import type { CellResult, RunResults } from '../../../results/results.ts';
import { cell, results, sampleKernel, WARNED } from '../../test/samples.ts';

/** Markup, and what GitHub makes something of, as a program, kernel, log or YAML file might have it. */
export const PLANTED = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '</summary></details><h1>out</h1>',
  '![pixel](https://evil.example/p.png)',
  '[click](https://evil.example/a)',
  '[ref]: https://evil.example/b',
  '<https://evil.example/c>',
  'https://evil.example/d',
  'www.evil.example',
  'mallory@evil.example',
  '@octocat',
  '@example/team,',
  '(@octocat)',
  '#123',
  'GH-1',
  'example/bpf#7',
  'c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff',
  ':tada:',
  '$x^2$',
  '$`x`$',
  '**bold** _em_ ~~gone~~',
  '`code` ``two`` ```three',
  '| a | b |',
  'back\\|slash \\',
  '&lt;b&gt; &#64;octocat',
  '# heading',
  '- item',
  '1. item',
  '> quote',
  '> [!WARNING]',
  '---',
  '===',
  '    code',
  '```\n\n<b>after the fence</b>\n\n@octocat',
  '~~~',
  '<!-- marker -->',
  '<details>',
  '\u202egnp.exe\u2066\u200b',
  '\x1b[31mred\x07\x00',
  'a\r\nb\rc\u2028d\ud800e',
] as const;

/** Red results in which every text that somebody else wrote is the planted one. */
export function plantedResults(text: string): RunResults {
  const names: Partial<CellResult> = { loader: text, variant: text };
  const red = cell(text, text, 'fail', {
    ...names,
    why: text,
    outcome: { phase: 'load', class: 'verifier-rejected', errno: text, message: text, extern: text },
    expected: { outcome: { class: text, log: text }, reason: text, source: text },
    externs: [
      { name: text, kind: 'typed', weak: false, result: 'error', reason: text, explanation: text },
      { name: text, kind: 'typed', weak: true, result: 'null' },
    ],
    values: [
      { program: text, cpu: 0, variable: text, value: '0x1', relation: 'equals', truth: '0x2', holds: false },
      { program: text, cpu: 1, variable: text, value: '0x1', relation: 'differs', truth: '0x1', holds: false },
    ],
    verifierLog: `${text}\n${text}`,
    console: [text, text],
    location: { path: text, line: 3, text, about: text },
    splats: [{ ...WARNED, rule: text, text: `${text} splat` }],
    leftovers: [text],
  });
  const refused = cell('5.10', text, 'xfail', {
    ...names,
    outcome: { ...red.outcome, message: text },
    expected: { outcome: 'x', reason: text, source: text },
  });
  const attempt = { verdict: 'fail', class: text, why: text, durationMs: 1, console: text } as const;
  const flaky = cell('5.10', `flaky ${text}`, 'flaky', {
    ...names,
    why: text,
    attempts: [{ ...attempt, evidence: red.evidence }],
  });
  const plain = results([red, refused, flaky], {
    kernels: [
      sampleKernel('5.10', { flavour: text }),
      sampleKernel(text, { release: text, version: text, source: text, sha256: text, flavour: text }),
    ],
    matrix: { path: text, title: text },
    origin: { repository: text, commit: 'c0ffee'.repeat(7).slice(0, 40), modified: true, url: null },
    loaders: [{ name: text, version: text }],
  });
  const { host, engine, programs } = plain;
  return {
    ...plain,
    host: { ...host, clang: text, qemu: text, virtmeNg: text, node: text, acceleratorReason: text },
    engine: { ...engine, isolationReason: text },
    programs: programs.map((program) => ({
      ...program,
      title: text,
      source: text,
      needs: [{ what: text, commit: 'c0ffeec0ffee', since: text }],
    })),
  };
}
