import t from 'tap';
import { isEndOfLife } from '../lifecycle.ts';
import { sampleKernel } from './samples.ts';

t.test('whether a line is maintained goes by the time of the run, and is not said where it is not known', (t) => {
  const ended = (version: string, at: string, release = 'x'): boolean | null =>
    isEndOfLife(sampleKernel('x', { version, release }), at);
  const autumn = '2026-11-23T00:00:00.000Z';
  t.equal(ended('5.10.262-1', autumn), false, 'a longterm line');
  t.equal(ended('5.10.262-1', '2027-01-01T00:00:00.000Z'), true, 'after its projected end');
  t.equal(ended('6.12.117-1', autumn), false);
  t.equal(ended('6.16.12-1~bpo13+1', autumn), true, 'any other line');
  t.equal(ended('6.16.3-1~bpo13+1', '2025-09-01T00:00:00.000Z'), false, 'in its own time');
  t.equal(ended('7.0.13-1', '2026-06-20T00:00:00.000Z'), false);
  t.equal(ended('7.1.13-1', autumn), true);
  t.equal(ended('7.3.4-1', autumn), null, 'a line that is younger than the table');
  t.equal(ended('8.0~rc1-1', autumn), null);
  t.equal(ended('v6.7-rc3', autumn), true, 'as a mainline build has it');
  t.equal(ended('4.15.0-213.224', autumn), true, 'a vendor that maintains it for longer');
  t.equal(ended('sha256:12', autumn, '6.6.5-custom'), false, 'by the release, where the version does not say it');
  t.equal(ended('sha256:12', autumn, 'unknown'), null);
  t.equal(ended('6.1.192-1', 'yesterday'), null);
  t.end();
});
