import t from 'tap';
import { generateResults } from '../../../bench/generated-results.ts';
import { type Comparison, compareResults } from '../../../results/compare.ts';
import type { RunResults } from '../../../results/results.ts';
import { cell, results, sampleKernel } from '../../test/samples.ts';
import { renderAnnotations } from '../annotations.ts';
import { fitParts, inBytes, inCharacters } from '../budget.ts';
import { CHECK_BYTES, renderCheckOutput } from '../check-output.ts';
import { COMMENT_CHARACTERS, renderComment } from '../comment.ts';
import { renderComparisonMarkdown } from '../comparison.ts';
import { codeSpan, fencedCode, inlineText, webAddress } from '../escape.ts';
import { renderJobSummary, SUMMARY_BYTES } from '../job-summary.ts';
import type { MarkdownOptions } from '../phrases.ts';
import { renderMarkdown } from '../render-markdown.ts';
import { aliveIn, brokenIn, parse } from './parsed.ts';
import { PLANTED, plantedResults } from './planted.ts';

const SITE = 'https://example.github.io/bpf';
const RUN = 'https://github.com/example/bpf/actions/runs/1';

/** Every report that is Markdown, in full. */
function allOf(one: RunResults, options: MarkdownOptions & { readonly comparison: Comparison }): [string, string][] {
  const { title, summary, text } = renderCheckOutput(one, options);
  return [
    ['report', renderMarkdown(one, options)],
    ['summary', renderJobSummary(one, options)],
    ['comment', renderComment(one, { ...options, runUrl: RUN })],
    ['check', `${title}\n\n${summary}\n\n${text}`],
    ['comparison', renderComparisonMarkdown(options.comparison, { siteUrl: SITE })],
  ];
}

t.test('nothing that a program, kernel, log or YAML file says comes alive in any report', (t) => {
  for (const [index, text] of PLANTED.entries()) {
    const head = plantedResults(text);
    const elsewhere = head.cells.map((one) => ({ ...one, loader: `${text} ` }));
    const comparison = compareResults(plantedResults(`${text} `), { ...head, cells: elsewhere });
    const found = allOf(head, { comparison, siteUrl: SITE }).flatMap(([name, markdown]) =>
      [...aliveIn(markdown, [SITE, RUN]), ...brokenIn(markdown)].map((what) => JSON.stringify([name, what])),
    );
    // What is planted would upset the reader of this test's output.
    t.same(found, [], `planted text ${index}`);
  }
  t.end();
});

t.test('what was planted is still there to be read', (t) => {
  for (const text of [
    '@octocat',
    '#123',
    '<script>alert(1)</script>',
    '| a | b |',
    '`code` ``two`` ```three',
    'back\\|slash \\',
  ]) {
    const [paragraph] = parse(codeSpan(text)).filter(({ type }) => type === 'code_inline');
    t.equal(paragraph?.content, text);
    const block = parse(fencedCode(text)).filter(({ type }) => type === 'fence');
    t.equal(block[0]?.content, `${text}\n`);
    const words = parse(`x ${inlineText(text)}`).filter(({ type }) => type === 'text' || type === 'code_inline');
    t.equal(
      words
        .map(({ content }) => content)
        .join('')
        .replaceAll(' ', ''),
      `x${text.replaceAll(' ', '')}`,
    );
  }
  t.end();
});

t.test('plain words stay plain, names are code, and punctuation around them is no part of them', (t) => {
  t.equal(inlineText('It works on 5.10, and not (yet) on 6.12: why?'), 'It works on 5.10, and not (yet) on 6.12: why?');
  t.equal(
    inlineText('Set kernel.kptr_restrict, then ask (sched_init()).'),
    'Set `kernel.kptr_restrict`, then ask (`sched_init()`).',
  );
  t.equal(inlineText('- x'), '`-` x');
  t.equal(webAddress('javascript:alert(1)'), null);
  t.equal(webAddress('https://user:secret@example.org/'), null);
  t.equal(webAddress('https://example.org/a(b)?c=1&d=|'), 'https://example.org/a%28b%29?c=1&amp;d=%7c');
  t.end();
});

t.test('a budget holds whatever its size is, and what is left out is counted', (t) => {
  const rows = Array.from({ length: 40 }, (_, index) => ({
    texts: [`| ${'é😀'.repeat(index)} | long |\n`, `| ${index} | s |\n`],
    priority: index % 3,
    noun: { one: 'row', many: 'rows' },
    shortened: { one: 'shorter row', many: 'shorter rows' },
  }));
  const table = { open: '\n| a | b |\n| --- | --- |\n', close: '', parts: rows };
  const tail = {
    open: '\n<details><summary>More</summary>\n',
    close: '\n</details>\n',
    parts: [{ texts: [fencedCode('```')], priority: 1, noun: { one: 'block', many: 'blocks' } }],
  };
  for (const measure of [inBytes, inCharacters]) {
    let most = 0;
    for (let limit = 0; limit < 5200; limit += limit < 400 ? 3 : 97) {
      const text = fitParts([table, tail], { limit, measure, elsewhere: '[there](https://example.org/)' });
      const size = measure(text);
      if (size > limit) t.fail(`${size} of ${limit}`);
      const broken = brokenIn(text);
      if (broken.length > 0) t.same(broken, [], String(limit));
      const shown = text.split('\n').filter((line) => /^\| (?!a |---)/.test(line)).length;
      const [, left = '0'] = /(\d+) rows?\b/.exec(text.replace(/\d+ shorter rows?/, '')) ?? [];
      if (text !== '' && shown + Number(left) !== rows.length) t.fail(`${shown} and ${left} at ${limit}`);
      most = Math.max(most, shown);
    }
    t.equal(most, rows.length);
  }
  t.end();
});

t.test('reports of a large matrix stay within every limit, with nothing cut in the middle', (t) => {
  const size = { kernels: 40, programs: 30, loaders: 2, redEvery: 4 };
  const head = generateResults({ ...size, seed: 2 });
  const comparison = compareResults(generateResults({ ...size, seed: 1 }), head);
  const options = { comparison, siteUrl: SITE };
  const comment = renderComment(head, { ...options, runUrl: RUN });
  const summary = renderJobSummary(head, options);
  const check = renderCheckOutput(head, options);
  t.ok(
    comment.length <= COMMENT_CHARACTERS - 200 && comment.length > COMMENT_CHARACTERS - 3000,
    String(comment.length),
  );
  t.ok(inBytes(summary) < SUMMARY_BYTES);
  for (const text of [check.summary, check.text]) {
    t.ok(inBytes(text) <= CHECK_BYTES);
    t.ok(inBytes(text) > CHECK_BYTES / 2);
  }
  t.match(comment, /_Left out here, for want of room: \d+ cells that are regressed, .*\[the full report\]/);
  for (const text of [comment, check.summary, check.text]) t.same(brokenIn(text), []);
  t.ok(check.annotations.length <= 250);
  for (const { path, start_line, title, message, raw_details } of check.annotations) {
    const fine = path !== '' && start_line >= 1 && title.length <= 255 && inBytes(message) <= 64_000;
    if (!fine || inBytes(raw_details) > 64_000) t.fail(title);
  }
  const small = generateResults({ kernels: 13, programs: 4, loaders: 2, redEvery: 3 });
  for (let limit = 0; limit < 30_000; limit += limit < 2000 ? 397 : 3989) {
    const short = renderComment(small, { ...options, maxCharacters: limit });
    const bytes = renderJobSummary(small, { maxBytes: limit });
    const { text } = renderCheckOutput(small, { ...options, maxBytes: limit });
    t.ok(short.length <= limit && inBytes(bytes) <= limit && inBytes(text) <= limit, `within ${limit}`);
    t.same([short, bytes, text].flatMap(brokenIn), [], `whole at ${limit}`);
  }
  t.end();
});

const NOW = results(
  [
    cell('5.10', 'steady', 'fail', { why: 'red for long' }),
    cell('5.10', 'broken', 'fail', { why: 'R1 is no pointer', verifierLog: '0: r1 = 0\nR1 is no pointer' }),
    cell('6.12-generic', 'broken', 'fail', { why: 'R1 is no pointer' }),
    cell('5.10', 'fine', 'pass'),
    cell('6.12-generic', 'steady', 'xfail', { why: 'x' }),
  ],
  { origin: { repository: 'example/bpf', commit: 'a'.repeat(40), modified: false, url: RUN } },
);
const BEFORE = results([
  cell('5.10', 'steady', 'fail', { why: 'red for long' }),
  cell('5.10', 'broken', 'pass'),
  cell('6.12-generic', 'broken', 'pass'),
  cell('5.10', 'fine', 'pass'),
  cell('6.12-generic', 'steady', 'xfail', { why: 'x' }),
]);

t.test('a comment begins with what broke, links to it, and folds the grid', (t) => {
  const text = renderComment(NOW, { comparison: compareResults(BEFORE, NOW), siteUrl: SITE, runUrl: RUN });
  const cells = `${SITE}/programs/broken.html#`;
  t.same(text.split('\n').slice(0, 10), [
    '## ✖ 3 of 5 cells are red, 2 regressed',
    '',
    `1 ✔ pass, 1 ○ xfail, 3 ✖ FAIL · 3 programs × 2 kernels × 1 loader · commit [\`${'a'.repeat(12)}\`](https://github.com/example/bpf/commit/${'a'.repeat(40)}) · TCG · [full report](${SITE}) · [run](${RUN})`,
    '',
    'Since `c0ffeec0ffee`: 2 regressed; 3 unchanged.',
    '',
    '| Change | Program | Kernels | Before | Now |',
    '| --- | --- | --- | --- | --- |',
    `| **regressed** | [\`broken\`](${cells}5.10~default~ksym-matrix) | [\`5.10\`](${cells}5.10~default~ksym-matrix), [\`6.12-generic\`](${cells}6.12-generic~default~ksym-matrix) | ✔ pass | **✖ FAIL** verifier-rejected in phase load: R1 is no pointer |`,
    '',
  ]);
  const places = [
    '### Red cells',
    'broken`](',
    '**regressed**<br>',
    'steady`](',
    'as in the base run',
    '<summary>All cells',
  ];
  const found = places.map((place) => text.indexOf(place, text.indexOf('### Red cells')));
  t.same(
    found,
    found.toSorted((left, right) => left - right),
    'in this order',
  );
  t.notOk(found.includes(-1));
  t.match(text, '```sh\nksym-matrix run --kernel 5.10 --program broken\n```');
  t.end();
});

t.test('a comment on a run that changed nothing and is green is short', (t) => {
  const green = results([cell('5.10', 'fine', 'pass')]);
  const text = renderComment(green, { comparison: compareResults(green, green) });
  t.match(text, '## ✔ the only cell is as expected');
  t.match(text, 'Since `c0ffeec0ffee` no cell changed.');
  t.notMatch(text, 'Red cells');
  t.ok(text.length < 600, text);
  const broken = renderComment({ ...green, complete: false });
  t.match(broken, '## ! the only cell is as expected, the run was interrupted', 'and what is missing may be red');
  t.match(renderComment({ ...green, cells: [] }), /^## ! no cell was run\n\n1 program × /);
  t.end();
});

t.test('reports do not depend on the order of the cells', (t) => {
  const turned = { ...NOW, cells: NOW.cells.toReversed(), kernels: NOW.kernels.toReversed() };
  const options = (one: RunResults) => ({ comparison: compareResults(BEFORE, one), siteUrl: SITE });
  t.same(allOf(turned, options(turned)), allOf(NOW, options(NOW)));
  t.equal(renderAnnotations(turned), renderAnnotations(NOW));
  t.end();
});

t.test('a whole report has all parts; a further loader shows only the rows that differ', (t) => {
  const by = (loader: string) => ({ loader });
  const both = results([
    cell('5.10', 'alike', 'pass'),
    cell('5.10', 'other', 'pass'),
    cell('5.10', 'alike', 'pass', by('libbpf')),
    cell('5.10', 'other', 'xfail', by('libbpf')),
  ]);
  const text = renderMarkdown(both);
  const headings = text.split('\n').filter((line) => line.startsWith('#'));
  t.same(headings, [
    '# ksym-matrix',
    '## Grid',
    '## Since and until',
    '## Refused, as expected',
    '## Programs',
    '## Kernels',
    '## To repeat it',
  ]);
  t.match(text, 'Loader `libbpf`: 1 of 2 rows are the same as with `ksym-matrix`; these differ:');
  t.equal(text.match(/^\| `other` \| (✔|○)\u00a0(pass|xfail) \|/gm)?.length, 2);
  t.equal(text.match(/^\| `alike` \| ✔\u00a0pass \|/gm)?.length, 1);
  t.match(
    text,
    '✔ pass: works, and every value it read is right · ○ xfail: is refused, exactly as expected · · not run\n',
  );
  t.end();
});

t.test('annotations name the line and all kernels once, and nothing in them is a command', (t) => {
  const location = {
    path: 'programs/x,y.bpf.c',
    line: 7,
    text: 'extern int x __ksym;',
    about: 'the extern is declared here',
  };
  const hostile = 'why%0A\n::add-mask::secret\r##[set-output name=x]y';
  const text = renderAnnotations(
    results([
      cell('5.10', 'x', 'fail', { location, why: hostile }),
      cell('6.12-generic', 'x', 'fail', { location, why: hostile }),
      cell('5.10', 'y', 'infra', { why: 'no machine' }),
      cell('5.10', 'z', 'fail', { location: { ...location, path: '../../etc/passwd' } }),
      cell('5.10', 'fine', 'pass'),
    ]),
  );
  t.same(text.split('\n'), [
    '::error file=programs/x%2Cy.bpf.c,line=7,title=✖ FAIL x on 5.10%2C 6.12-generic::verifier-rejected in phase load: why%250A%0A::add-mask::secret%0A## [set-output name=x]y%0Aextern int x __ksym;  ← the extern is declared here%0Aon 5.10, 6.12-generic',
    '::error file=matrix.yaml,line=1,title=✖ FAIL z on 5.10::verifier-rejected in phase load: the verifier refused it%0Aextern int x __ksym;  ← the extern is declared here%0Aon 5.10',
    '::warning file=programs/y.bpf.c,line=1,title=! INFRA y on 5.10::verifier-rejected in phase load: no machine%0Aon 5.10',
    '',
  ]);
  t.equal(renderAnnotations(results([cell('5.10', 'fine', 'pass')])), '');
  t.end();
});

t.test('of more annotations than a step may have, the last one counts the rest', (t) => {
  const kernels = [sampleKernel('5.10')];
  const many = Array.from({ length: 23 }, (_, index) => cell('5.10', `p${index}`, 'fail', { why: 'x'.repeat(5000) }));
  const lines = renderAnnotations(results(many, { kernels })).trimEnd().split('\n');
  t.equal(lines.length, 10);
  t.equal(lines.at(-1), '::error title=ksym-matrix::14 more failures are in the summary of this job');
  for (const line of lines) t.ok(line.length < 4096 + 400);
  t.end();
});
