import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { evict, noteUse } from '../evict.ts';

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;
const MEBIBYTE = 2 ** 20;

/** Makes a folder of one mebibyte that was used `hours` ago; a negative number is in the future. */
function folder(parent: string, name: string, hours: number): void {
  mkdirSync(join(parent, name, 'inner'), { recursive: true });
  writeFileSync(join(parent, name, 'inner', 'file'), Buffer.alloc(MEBIBYTE, 1));
  const used = new Date(Date.now() - hours * HOUR);
  utimesSync(join(parent, name), used, used);
}

t.test('what was not used for long goes, and what is too much, the least recently used first', async (t) => {
  const parent = t.testdir({ '.locks': {} });
  folder(parent, 'ancient', 31 * 24);
  folder(parent, 'old', 48);
  folder(parent, 'older', 49);
  folder(parent, 'today', 5);
  folder(parent, 'now', 0);
  const limits = { maxAgeMs: 30 * DAY, keepMs: HOUR };
  t.same(await evict(parent, { ...limits, maxBytes: 100 * MEBIBYTE }), [join(parent, 'ancient')], 'by age alone');
  // Three and a half: each folder holds one mebibyte and a few blocks of its own.
  t.same(await evict(parent, { ...limits, maxBytes: 3.5 * MEBIBYTE }), [join(parent, 'older')], 'by size');
  t.same(await evict(parent, { ...limits, maxBytes: 0 }), [join(parent, 'today'), join(parent, 'old')]);
  t.same(readdirSync(parent).sort(), ['.locks', 'now'], 'what is in use stays, and so do the locks');
});

t.test('a use counts, and a clock that was wrong does not make a folder immortal', async (t) => {
  const parent = t.testdir({});
  folder(parent, 'used', 40 * 24);
  folder(parent, 'future', -40 * 24);
  await noteUse(join(parent, 'used'));
  await noteUse(join(parent, 'missing'));
  t.same(await evict(parent, { maxAgeMs: 30 * DAY, keepMs: HOUR, maxBytes: 100 * MEBIBYTE }), [join(parent, 'future')]);
  t.same(readdirSync(parent), ['used']);
  t.same(await evict(join(parent, 'nowhere'), { maxAgeMs: 0, keepMs: 0, maxBytes: 0 }), [], 'no cache yet');
});
