import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import type { MachineOptions } from '../machine-parts.ts';
import { MachineSource } from '../machine-source.ts';
import type { Observer } from '../observations.ts';
import { TEMPLATE, verifyTemplate, writeRecord } from '../template-files.ts';
import { TemplateError, TemplateStore } from '../template-store.ts';
import { createTestHost, eventually, OBSERVER, PATCHABLE, processesWith } from './host.ts';

const LINE = '5.10';
const host = await createTestHost([LINE]);
t.teardown(async () => {
  await host.closeAll();
  host.end();
});
// A template that is there for certain, to be copied and damaged.
await (await host.open(LINE)).machine.close('kill');
const request = host.request(LINE, { append: PATCHABLE });
const cacheStore = new TemplateStore(cacheDirectory());
const whole = join(cacheStore.directory, cacheStore.keyOf({ machine: request, observer: OBSERVER }));

let caches = 0;
/** A cache of its own, with or without a copy of the template for `machine`. */
function makeCache(machine?: Omit<MachineOptions, 'memory'>): { cache: string; template: string; templates: string } {
  const cache = join(host.folder, `cache-${++caches}`);
  const templates = join(cache, 'templates');
  mkdirSync(templates, { recursive: true });
  const template = join(templates, new TemplateStore(cache).keyOf({ machine: machine ?? request, observer: OBSERVER }));
  if (machine !== undefined) execFileSync('cp', ['-a', '--sparse=always', '--reflink=auto', whole, template]);
  return { cache, template, templates };
}

function flip(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, offset);
  closeSync(file);
}

/** Opens a machine, and tells what was said meanwhile. */
async function open(
  cache: string,
  wanted: Omit<MachineOptions, 'memory'>,
  sabotage: () => void = () => undefined,
): Promise<{ beginning: string; boots: number; messages: string[]; cpus: number }> {
  const messages: string[] = [];
  let boots = 0;
  const source = new MachineSource({ cache, templates: true, observer: OBSERVER });
  const { machine, observations } = await source.open(wanted, {
    onBoot: () => {
      boots++;
      if (boots === 1) sabotage();
    },
    onMessage: (message) => messages.push(message),
  });
  const { cpus } = machine.agent.hello;
  const [observed, read] = [await observations.read('kallsyms'), await machine.agent.readFile('/proc/kallsyms', START)];
  if (Buffer.compare(observed.subarray(0, read.length), read) !== 0)
    throw new Error('what was observed is of another boot');
  await machine.close('kill');
  return { beginning: machine.beginning, boots, messages, cpus };
}

/** Of /proc/kallsyms: its first addresses are random, and the same on machines of one boot. */
const START = { maxBytes: 4096 };

const tests: Promise<unknown>[] = [];
t.jobs = 3;
function test(title: string, run: (t: Test) => Promise<void>): void {
  tests.push(t.test(title, { buffered: true }, run).then(() => undefined));
}

test('no damage of a saved machine goes unnoticed', async (t) => {
  // Small, and of no machine: each look reads all of it.
  const template = t.testdir({
    ram: '',
    state: 'x'.repeat(5000),
    observations: { kallsyms: 'ffffffff81000000 T _text' },
  });
  const path = (name: string): string => join(template, name);
  truncateSync(path(TEMPLATE.ram), 2 ** 24);
  flip(path(TEMPLATE.ram), 2 ** 23);
  const files = [TEMPLATE.ram, TEMPLATE.state, `${TEMPLATE.observations}/kallsyms`];
  await writeRecord(template, files, { bootMs: 1, kernel: 'vmlinuz', commandLine: 'nopti' });
  t.match(await verifyTemplate(template), { kernel: 'vmlinuz' }, 'it was whole');
  const ram = path(TEMPLATE.ram);
  const observation = path(`${TEMPLATE.observations}/kallsyms`);
  const { atime, mtime } = statSync(ram);
  const twice = (damage: () => void): [() => void, () => void] => [damage, damage];
  const away = (file: string): [() => void, () => void] => [
    () => renameSync(file, `${file}.away`),
    () => renameSync(`${file}.away`, file),
  ];
  const damages: readonly (readonly [string, RegExp, readonly [() => void, () => void]])[] = [
    ['a byte of the RAM', /^ram is not what was saved$/, twice(() => flip(ram, 2 ** 22 + 5))],
    [
      'a byte of the RAM, with the times of the file put back',
      /^ram is not what was saved$/,
      twice(() => {
        flip(ram, 2 ** 20);
        utimesSync(ram, atime, mtime);
      }),
    ],
    ['a byte of the state', /^state is not what was saved$/, twice(() => flip(path(TEMPLATE.state), 1000))],
    [
      'a byte of what was observed',
      /^observations\/kallsyms is not what was saved$/,
      twice(() => flip(observation, 7)),
    ],
    ['no state', /^state is missing$/, away(path(TEMPLATE.state))],
    ['an observation that is missing', /^observations\/kallsyms is missing$/, away(observation)],
    ['no record', /^template\.json is missing or cannot be read$/, away(path(TEMPLATE.record))],
    [
      'a RAM that is too short',
      /^ram is not what was saved$/,
      [() => truncateSync(ram, 2 ** 24 - 4096), () => truncateSync(ram, 2 ** 24)],
    ],
  ];
  for (const [name, found, [damage, mend]] of damages) {
    damage();
    t.match(await verifyTemplate(template), { damage: found }, name);
    mend();
  }
  t.match(await verifyTemplate(template), { kernel: 'vmlinuz' }, 'what was mended is whole again');
  writeFileSync(path(TEMPLATE.record), '{"digests": {}}');
  t.match(await verifyTemplate(template), { damage: /template\.json/ }, 'a record of something else');
});

test('a damaged machine is booted and saved again, which is said, and then restored', async (t) => {
  const { cache, template } = makeCache(request);
  flip(join(template, TEMPLATE.ram), 2 ** 24);
  const first = await open(cache, host.request(LINE, { append: PATCHABLE }));
  t.match(first, { beginning: 'restored', boots: 1 });
  t.match(first.messages, [
    /^a saved machine is damaged \(ram is not what was saved\): the kernel is booted and saved again$/,
  ]);
  t.match(await open(cache, host.request(LINE, { append: PATCHABLE })), {
    beginning: 'restored',
    boots: 0,
    messages: [],
  });
});

test('a state that belongs to other hardware is refused, and the kernel is booted', async (t) => {
  const { plan } = request.prepared;
  const size = plan.arguments.indexOf('-smp') + 1;
  const smaller = { ...request.prepared, plan: { ...plan, arguments: plan.arguments.with(size, '1') } };
  const wanted = host.request(LINE, { append: PATCHABLE, prepared: smaller });
  const { cache, template } = makeCache(wanted);
  const { messages, ...rest } = await open(cache, wanted);
  t.match(rest, { beginning: 'booted', boots: 1, cpus: 1 });
  t.equal(messages.length, 1);
  t.match(
    messages[0],
    /^a saved machine cannot be restored, so the kernel is booted: .*QEMU does not take the saved machine/,
  );
  t.match(messages[0], /savevm section/, "QEMU's own words");
  t.notOk(existsSync(template), 'nobody tries that one again');
});

/** The folders that are being filled. */
function partial(templates: string): string[] {
  return readdirSync(templates).filter((name) => name.startsWith('.partial'));
}

/** The error that making a template ends with. */
async function failedTemplate(
  t: Test,
  cache: string,
  machine: Omit<MachineOptions, 'memory'>,
  observe: Observer['observe'],
): Promise<{ error: TemplateError; boots: number }> {
  let boots = 0;
  const onBoot = (): void => {
    boots++;
  };
  const wanted = { machine, observer: { version: 'fails', observe }, onMessage: () => undefined, onBoot };
  const error = await new TemplateStore(cache).get(wanted).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  t.type(error, TemplateError);
  if (!(error instanceof TemplateError)) throw new Error('the machine was saved, and should not');
  t.same(partial(join(cache, 'templates')), [], 'nothing of it is left');
  t.ok(await eventually(() => processesWith(cache).length === 0, 2000), 'no machine either');
  return { error, boots };
}

test('a disk without room for a saved machine is found out before the boot', async (t) => {
  // More than any disk has.
  const machine = host.request(LINE, { prepared: { ...request.prepared, memoryMiB: 2 ** 30 } });
  const { error, boots } = await failedTemplate(t, makeCache().cache, machine, async () => new Map());
  t.match(error.why, /no space is left on the disk: .* are needed for saving a booted machine/);
  t.equal(boots, 0);
});

test('a disk that is full when the state is written keeps the machine from being saved, no more', async (t) => {
  const { cache, templates } = makeCache();
  const { error } = await failedTemplate(t, cache, host.request(LINE), async () => {
    for (const name of partial(templates)) symlinkSync('/dev/full', join(templates, name, TEMPLATE.state));
    return new Map();
  });
  t.match(error.message, 'the booted machine cannot be saved');
  t.match(error.why, "the machine's state cannot be saved");
});

test('a disk that is full while the kernel boots ends QEMU with SIGBUS; the kernel is booted without being saved', async (t) => {
  const { cache, templates } = makeCache();
  const wanted = host.request(LINE, { append: PATCHABLE });
  const { messages, ...rest } = await open(cache, wanted, () => {
    void (async () => {
      // A page that the disk has no room for ends QEMU in the same way as one behind the file's end.
      const ram = (): string => join(templates, partial(templates)[0] ?? '', TEMPLATE.ram);
      await eventually(() => existsSync(ram()) && statSync(ram()).blocks > 10_000);
      truncateSync(ram(), 0);
    })();
  });
  t.match(rest, { beginning: 'booted', boots: 2 });
  t.equal(messages.length, 1);
  t.match(
    messages[0],
    /^machines are booted each time: .*the machine's memory cannot be written to the disk: .*SIGBUS/,
  );
  t.same(partial(templates), []);
});

await Promise.all(tests);

t.test('the template that was copied is as it was', async (t) => {
  await host.closeAll();
  t.match(await verifyTemplate(whole), { kernel: request.prepared.image });
  t.same(host.leftovers(), []);
  t.notMatch(readFileSync(join(whole, TEMPLATE.record), 'utf8'), host.folder);
});
