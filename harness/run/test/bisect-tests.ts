import t from 'tap';
import { type BisectFinding, bisect, MOST_SKIPPED, mostHalvings, type Probe } from '../bisect-search.ts';

interface Place {
  readonly index: number;
}

/** Bisects a row of answers, where `-` is a place without one, and gives what was asked, in order. */
async function search(row: string): Promise<{ finding: BisectFinding<Place, number>; asked: number[] }> {
  const asked: number[] = [];
  const places = [...row].map((_, index) => ({ index }));
  const finding = await bisect(places, async ({ index }): Promise<Probe<number>> => {
    asked.push(index);
    const answer = row[index] ?? '';
    return answer === '-' ? { kind: 'skip', why: `no ${index}` } : { kind: 'answer', answer, evidence: index };
  });
  return { finding, asked };
}

t.test(
  'a search finds the change in any row that changes once, asking both ends and at most log2 between',
  async (t) => {
    t.same([1, 2, 3, 4, 5, 11, 12, 40, 500].map(mostHalvings), [0, 0, 1, 2, 2, 4, 4, 6, 9]);
    const wrong: string[] = [];
    for (let count = 2; count <= 40; count++) {
      for (let change = 1; change < count; change++) {
        const row = 'a'.repeat(change) + 'b'.repeat(count - change);
        const { finding, asked } = await search(row);
        const found = finding.kind === 'change' ? [finding.before.item.index, finding.after.item.index] : [];
        const isFound = found[0] === change - 1 && found[1] === change;
        const isShort = asked.length <= mostHalvings(count) + 2 && new Set(asked).size === asked.length;
        if (!isFound || !isShort) wrong.push(`${row}: found ${found}, asked ${asked}`);
      }
    }
    t.same(wrong, [], 'of every row of 2 to 40 places');
    t.same((await search('aaaaabbbbbb')).asked.slice(0, 3), [0, 10, 5], 'the ends first, then the middle');
  },
);

t.test('places without an answer are stepped around, and what lies between the neighbours is named', async (t) => {
  const found: string[] = [];
  const wanted: string[] = [];
  for (let change = 1; change < 7; change++) {
    for (let mask = 0; mask < 1 << 7; mask++) {
      const row = Array.from({ length: 7 }, (_, index) =>
        (mask >> index) & 1 ? '-' : index < change ? 'a' : 'b',
      ).join('');
      const { finding, asked } = await search(row);
      const [last, first] = [row.lastIndexOf('a'), row.indexOf('b')];
      const isThere = last !== -1 && first !== -1;
      const skipped = asked.filter((index) => row[index] === '-').sort((left, right) => left - right);
      const between = [...row].flatMap((_, index) => (index > last && index < first ? [index] : []));
      wanted.push(`${row}: ${isThere ? `${last} ${first}, between ${between}` : 'no change'}, skipped ${skipped}`);
      found.push(
        `${row}: ${
          finding.kind === 'change'
            ? `${finding.before.item.index} ${finding.after.item.index}, between ${finding.between.map(({ index }) => index)}`
            : 'no change'
        }, skipped ${finding.skipped.map(({ item }) => item.index)}`,
      );
    }
  }
  t.same(found, wanted, 'of every row of seven places');
});

t.test('a search says when the ends are alike, when too little answers, and when nothing does', async (t) => {
  t.match((await search('abba')).finding, {
    kind: 'no-change',
    oldest: { answer: 'a' },
    newest: { item: { index: 3 } },
  });
  t.same((await search('aaaa')).asked, [0, 3], 'nothing in between is asked');
  t.match((await search('--a-')).finding, { kind: 'no-answer', only: { item: { index: 2 } } });
  t.match((await search('---')).finding, { kind: 'no-answer', only: null, skipped: [{ why: 'no 0' }, {}, {}] });
  t.match((await search('')).finding, { kind: 'no-answer', only: null });
  t.match((await search('a')).finding, { kind: 'no-answer', only: { answer: 'a' } });
  await t.rejects(search('-'.repeat(MOST_SKIPPED + 1)), {
    code: 'bisect-too-many-skipped',
    why: `the last: no ${MOST_SKIPPED}`,
  });
});

t.test('with a third answer it is the first change that is found, and the third answer is told', async (t) => {
  const { finding } = await search('aaccccbbb');
  t.match(finding, {
    kind: 'change',
    before: { item: { index: 1 } },
    after: { item: { index: 2 }, answer: 'c' },
    newest: { answer: 'b' },
  });
  if (finding.kind !== 'change') return;
  t.ok(finding.others.length > 0 && finding.others.every(({ answer }) => answer === 'c'));
});
