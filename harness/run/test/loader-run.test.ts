import t from 'tap';
import { bootKernel } from '../../boot-kernel.ts';
import { testBuffers } from './loader-buffers-tests.ts';
import { testLinks } from './loader-links-tests.ts';
import { testMaps } from './loader-maps-tests.ts';
import { testObjects } from './loader-objects-tests.ts';

/** One machine for each kernel, and all that is to be seen on it in one after another: a boot costs as much as most of the tests. */
const [newest, old, stable] = await Promise.all([bootKernel('newest'), bootKernel('5.10'), bootKernel('6.12')]);
for (const machine of [newest, old, stable]) t.teardown(() => machine.close());

t.test('buffers', (t) => testBuffers(t, newest.kernel));
t.test('maps and test runs', (t) => testMaps(t, newest.kernel));
t.test('links on the newest kernel', (t) => testLinks(t, 'newest', newest.kernel));
t.test('links on Linux 5.10', (t) => testLinks(t, '5.10', old.kernel));
t.test('objects', (t) => testObjects(t, stable.kernel));
