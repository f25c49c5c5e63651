import type { Test } from 'tap';
import { FormatError } from '../../errors.ts';
import { Kallsyms } from '../kallsyms.ts';
import { fakeKallsyms } from './fake-kernel.ts';

/** Tests of {@link Kallsyms}. */
export function testKallsyms(t: Test): void {
  const parse = (text: string) => Kallsyms.parse(new TextEncoder().encode(text));

  t.test('finds whole names, with module and type letter', (t) => {
    const long = 'x'.repeat(511);
    const symbols = parse(
      `ffffffff81000000 T start\nffffffff81000010 t start_more\nffffffff81000020 t re_start\nffffffffc0000000 d start\t[mod]\nffffffff81000030 T ${long}\n0000000000001000 A fixed`,
    );
    t.equal(symbols.count, 6);
    t.strictSame(symbols.find('start'), [
      { address: 0xffffffff81000000n, type: 'T', name: 'start', module: null },
      { address: 0xffffffffc0000000n, type: 'd', name: 'start', module: 'mod' },
    ]);
    t.equal(symbols.find(long)[0]?.address, 0xffffffff81000030n);
    t.equal(symbols.find('fixed')[0]?.address, 0x1000n, 'the last line needs no newline');
    for (const name of ['star', 'tart', 'T', 'T start', '[mod]', 'mod', '', 'start\n'])
      t.strictSame(symbols.find(name), [], name);
    t.end();
  });

  t.test('counts the same address once, and takes clang’s suffix only where there is no exact name', (t) => {
    const symbols = parse(
      'ffffffff81000000 t one\nffffffff81000000 T one\nffffffff81000010 d both\nffffffff81000020 d both.llvm.77\nffffffff81000030 d only.llvm.123\nffffffff81000040 d only.cold\n',
    );
    t.equal(symbols.find('one').length, 1);
    t.strictSame(
      symbols.find('both').map((one) => one.address),
      [0xffffffff81000010n],
    );
    t.strictSame(
      symbols.find('only').map((one) => one.name),
      ['only.llvm.123'],
    );
    t.end();
  });

  t.test('tells hidden addresses from symbols that lie at 0', (t) => {
    t.equal(fakeKallsyms([], { hidden: true }).restricted, true);
    t.equal(fakeKallsyms(['0000000000000000 A __per_cpu_start']).restricted, false);
    t.equal(parse('0000000000000000 A one\n').restricted, false, 'one line proves nothing');
    t.end();
  });

  t.test('knows what the kernel shows of the same symbols to those who may not see addresses', (t) => {
    const lines = Array.from({ length: 20 }, (_, index) => `ffffffff810000${index + 10} T func_${index}`);
    for (const end of ['\n', '']) {
      const text = `${[...lines, '00000000000abcde A fixed', 'ffffffffc0000000 d inside\t[mod]'].join('\n')}${end}`;
      const shown = parse(text);
      const hidden = shown.withoutAddresses();
      t.equal(Buffer.from(hidden.bytes).toString(), text.replace(/^\w+/gm, '0000000000000000'));
      t.equal(Buffer.from(shown.bytes).toString(), text, 'the original stays as it was');
      t.match(hidden, { count: 22, restricted: true });
      t.strictSame(hidden.find('inside'), [{ address: 0n, type: 'd', name: 'inside', module: 'mod' }]);
      t.strictSame(parse(Buffer.from(hidden.bytes).toString()).restricted, true, 'as if it had been read so');
    }
    t.equal(parse('ffffffff81000000 T one\n').withoutAddresses().restricted, false, 'one line proves nothing');
    t.end();
  });

  t.test('names the line that is malformed', (t) => {
    const good = 'ffffffff81000000 T start\n';
    for (const bad of [
      '',
      'zz T x',
      'ffffffff81000000',
      'ffffffff81000000 T',
      'ffffffff81000000 T ',
      '00000000000000000 T x',
      'ff TT x',
      'ff T x y',
      'ff T x [mod]',
      'ff T x\tmod',
      '\u0000',
    ]) {
      try {
        parse(`${good}${good}${bad}\n${good}`);
        t.fail(`${JSON.stringify(bad)} was accepted`);
      } catch (error) {
        t.ok(error instanceof FormatError, JSON.stringify(bad));
        t.match(error, { code: 'kallsyms-line', message: /line 3 /, offset: 50 });
      }
    }
    t.end();
  });

  t.test('reads as many symbols as a kernel has without delay', (t) => {
    const lines: string[] = [];
    for (let index = 0; index < 186_000; index++) {
      lines.push(`ffffffff${(0x81000000 + index * 16).toString(16)} t some_ordinary_kernel_symbol_${index}`);
    }
    const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`);
    const started = performance.now();
    const symbols = Kallsyms.parse(bytes);
    const parsed = performance.now();
    // The last ones are looked for in another way than the first.
    for (let index = 0; index < 40; index++) {
      t.equal(
        symbols.find(`some_ordinary_kernel_symbol_${index * 4_500}`)[0]?.address,
        0xffffffff81000000n + BigInt(index * 4_500 * 16),
      );
    }
    const found = performance.now();
    t.comment(`parsed in ${(parsed - started).toFixed(0)} ms, forty names in ${(found - parsed).toFixed(0)} ms`);
    // About 25 ms and 10 ms on two shared cores; the limits are for a machine that does something else as well.
    t.ok(parsed - started < 2000 && found - parsed < 2000);
    t.end();
  });
  t.end();
}
