import { chmodSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { prepareMachine, type WantedModule } from '../prepare.ts';

/** Writes an initramfs and prints a command line as virtme-run does, and counts how often it was asked. */
const VIRTME_RUN = `#!/bin/sh
echo planned >> "$COUNT"
while [ "$#" -gt 0 ]; do [ "$1" = --save-initramfs ] && printf planned > "$2"; shift; done
echo "/usr/bin/qemu-system-x86_64 -m 256M -kernel k -append 'a=1 -- b'"
`;

const QEMU = '#!/bin/sh\necho "QEMU emulator version $QEMU_VERSION"\n';

t.test('a prepared machine whose files were damaged is planned again, and that is said', async (t) => {
  const folder = t.testdir({ agent: 'agent', vmlinuz: 'kernel', 'virtme-run': VIRTME_RUN, 'qemu-system-x86_64': QEMU });
  for (const program of ['virtme-run', 'qemu-system-x86_64']) chmodSync(join(folder, program), 0o755);
  process.env.PATH = `${folder}:${process.env.PATH}`;
  process.env.QEMU_VERSION = '7.2';
  const count = join(folder, 'count');
  const messages: string[] = [];
  const prepare = (modules: readonly WantedModule[] = []): ReturnType<typeof prepareMachine> =>
    prepareMachine({
      modules,
      ...{ image: join(folder, 'vmlinuz'), imageSha256: '00', memoryMiB: 256, cpus: 1, cache: folder },
      agent: join(folder, 'agent'),
      virtme: { command: [join(folder, 'virtme-run')], environment: { COUNT: count }, version: '1' },
      onMessage: (message) => messages.push(message),
    });
  const plans = (): number => readFileSync(count, 'utf8').split('\n').length - 1;
  const first = await prepare();
  const initrd = readFileSync(first.initrd);
  const plan = join(dirname(first.initrd), 'plan.json');
  await prepare();
  t.equal(plans(), 1, 'one that is whole is used again');
  process.env.QEMU_VERSION = '8.0';
  t.not((await prepare()).initrd, first.initrd, 'another QEMU may want another plan');
  process.env.QEMU_VERSION = '7.2';
  const damages: readonly (readonly [string, () => void])[] = [
    ['initrd cut off', () => truncateSync(first.initrd, 100)],
    ['plan.json garbage', () => writeFileSync(plan, 'garbage')],
    ['plan.json without a plan', () => writeFileSync(plan, '{}')],
    ['plan.json missing', () => rmSync(plan)],
  ];
  for (const [index, [name, damage]] of damages.entries()) {
    damage();
    t.same(await prepare(), first, name);
    t.same(readFileSync(first.initrd), initrd, name);
    t.equal(plans(), index + 3, name);
    t.match(messages[index], /damaged/, name);
  }
  const path = join(folder, 'late.ko');
  writeFileSync(path, 'a module');
  const wanted = [
    { name: 'early', path },
    { name: 'late', path },
  ];
  const withModules = await prepare(wanted);
  t.match(readFileSync(withModules.initrd, 'latin1'), /wanted-late\.ko\0+a module.*wanted-modules\0+early\nlate\n/s);
  t.equal((await prepare(wanted)).key, withModules.key);
  writeFileSync(path, 'another');
  const keys = [first.key, withModules.key, (await prepare(wanted)).key, (await prepare(wanted.slice(1))).key];
  t.equal(new Set(keys).size, keys.length, 'another list of modules, or another file, is another machine');
});
