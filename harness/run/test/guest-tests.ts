import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ObjectContent } from '../../../loader/object/spec.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import { moduleBtf, kernelBtf as vmlinuxBtf } from '../../../loader/resolve/test/fake-kernel.ts';
import { FakeAgent } from '../../../loader/syscall/test/fake-agent.ts';
import type { Variant } from '../../config/load.ts';
import type { Observations } from '../../vm/observations.ts';
import { GuestStates, guestObserver } from '../guest-observer.ts';
import { runWithSettings } from '../run-with-settings.ts';
import type { Cell } from '../select.ts';
import { SPEC, STATE } from './fake-machine.ts';
import { OURS, sampleProgram, selected } from './samples.ts';

/** More than the harness takes as a sample. */
const SYMBOLS = Array.from(
  { length: 400 },
  (_, index) => `ffffffff81${String(index).padStart(6, '0')} T func_${index}`,
);
const LISTING = `${['0000000000000000 A fixed_percpu_data', ...SYMBOLS, 'ffffffffc0000000 t late\t[mod]'].join('\n')}\n`;
const HIDDEN = LISTING.replace(/^\w+/gm, '0000000000000000');

/** A guest whose /proc/kallsyms depends on the value of kernel.kptr_restrict, and that has one more sysctl. */
class Guest extends FakeAgent {
  readonly sysctls: Record<string, string> = { 'kernel/kptr_restrict': '0', 'net/core/bpf_jit_enable': '1' };
  /** What /proc/kallsyms holds; null if it cannot be opened. */
  show: (kptrRestrict: string) => string | null = (value) => (value === '0' ? LISTING : HIDDEN);
  /** Bytes of /proc/kallsyms that were sent. */
  sent = 0;
  #opened = '';

  constructor() {
    super(({ number, args }) => {
      const text = typeof args[1] === 'object' ? new TextDecoder().decode(args[1].bytes) : '';
      if (number === 257) this.#opened = text.replace(/^\/proc\/sys\/|\0$/g, '');
      if (number === 1) this.sysctls[this.#opened] = text;
      return undefined;
    });
  }

  override async readFile(path: string, options: { readonly maxBytes?: number } = {}): Promise<Uint8Array> {
    const setting = this.sysctls[path.replace('/proc/sys/', '')];
    const listing = path === '/proc/kallsyms' ? this.show(this.sysctls['kernel/kptr_restrict'] ?? '') : null;
    const text = setting ?? listing;
    if (text === null) return super.readFile(path);
    const bytes = new TextEncoder().encode(text).subarray(0, options.maxBytes);
    if (listing !== null) this.sent += bytes.length;
    return bytes;
  }
}

const WANTS_LATE: ObjectContent = { ...SPEC, externs: [{ name: 'late', kind: 'typeless', weak: false, typeId: 0 }] };

/** Runs a program that wants the address of `late`, in a guest whose listing was read at its boot. */
async function runUnder(sysctl: Variant['sysctl'], guest: Guest, known: string | null = LISTING) {
  const kallsyms = known === null ? null : Kallsyms.parse(new TextEncoder().encode(known));
  const variant = { name: 'changed', sysctl, boot: [] };
  const cell: Cell = { kernel: selected('6.12'), loader: OURS, program: sampleProgram('a', ['changed']), variant };
  const state = { ...STATE, kernel: { ...STATE.kernel, kallsyms } };
  const { outcome } = await runWithSettings(cell, {
    compiled: { spec: WANTS_LATE, object: '' },
    agent: guest,
    state,
    other: null,
  });
  const [late] = outcome.resolutions;
  return { class: outcome.class, result: late?.outcome.result, sent: guest.sent, sysctls: guest.sysctls };
}

const AS_BEFORE = { 'kernel/kptr_restrict': '0', 'net/core/bpf_jit_enable': '1' };

t.test('symbols are not read again for a cell: the first lines tell how the kernel shows them', async (t) => {
  const found = { class: 'ok', result: 'address', sysctls: AS_BEFORE };
  const hidden = { class: 'kallsyms-hidden', result: 'error', sysctls: AS_BEFORE };
  const restrict = { 'kernel.kptr_restrict': '2' };
  t.same(await runUnder({}, new Guest()), { ...found, sent: 0 });
  t.same(await runUnder({ 'net.core.bpf_jit_enable': '2' }, new Guest()), { ...found, sent: 4096 });
  t.same(await runUnder(restrict, new Guest()), { ...hidden, sent: 4096 }, 'hidden, though only the first were read');
  t.same(await runUnder(restrict, new Guest(), null), { ...hidden, sent: HIDDEN.length }, 'never read before');
});

t.test('symbols that look like nothing that is known are read whole', async (t) => {
  const moved = new Guest();
  moved.show = () => LISTING.replaceAll('ffffffff81', 'ffffffff92');
  t.match(await runUnder({ 'kernel.kptr_restrict': '1' }, moved), { class: 'ok', sent: 4096 + LISTING.length });
  const empty = new Guest();
  empty.show = (value) => (value === '0' ? LISTING : '');
  t.match(await runUnder({ 'kernel.kptr_restrict': '1' }, empty), { class: 'kallsyms-unreadable', sent: 0 });
});

/** Observations from memory, which count how often each is read. */
function observations(key: string, files: ReadonlyMap<string, Uint8Array>) {
  const reads = new Map<string, number>();
  const read = async (name: string): Promise<Uint8Array> => {
    reads.set(name, (reads.get(name) ?? 0) + 1);
    return files.get(name) ?? new Uint8Array();
  };
  return { reads, observations: { key, read } satisfies Observations };
}

/** What the observer sees in a guest with BTF for vmlinux and a module. */
async function observe(folder: string): Promise<{ files: ReadonlyMap<string, Uint8Array>; base: Uint8Array }> {
  const base = vmlinuxBtf(folder, 'int shared(int x) { return x; }');
  const ids: readonly (readonly [number, string])[] = [
    [1, 'vmlinux'],
    [2, 'mod'],
  ];
  const guest = new FakeAgent((call) => {
    if (call.command === 23) {
      const next = ids.find(([id]) => id > call.attr.getUint32(0, true));
      if (next === undefined) return 'ENOENT';
      call.attr.setUint32(4, next[0], true);
      return 0;
    }
    if ([11, 12, 31].includes(call.command)) return 'ENOENT';
    if (call.command === 19) return 200 + call.attr.getUint32(0, true);
    if (call.command === 15) {
      // struct bpf_btf_info: the name's pointer comes first, whether it is the kernel's own stands at 28.
      const info = typeof call.args[1] === 'object' ? call.args[1].pointers?.[0]?.to : undefined;
      const name = ids.find(([id]) => 200 + id === call.attr.getUint32(0, true))?.[1] ?? '';
      info?.pointers?.[0]?.to.bytes.set(new TextEncoder().encode(name));
      if (info !== undefined) new DataView(info.bytes.buffer).setUint32(28, 1, true);
      return 0;
    }
    return undefined;
  });
  guest.files = {
    ...guest.files,
    '/proc/kallsyms': LISTING,
    '/sys/kernel/btf/vmlinux': base.bytes,
    '/sys/kernel/btf/mod': moduleBtf(base, 'mod', 'mod_var', 1, 'mod_func', 2).bytes,
    '/proc/sys/kernel/tainted': '0\n',
    '/proc/modules': 'mod 16384 0 - Live 0xffffffffc0000000\n',
  };
  return { files: await guestObserver.observe(guest), base: base.bytes };
}

t.test('what is observed after a boot is there for each machine of it, and is read once for all of them', async (t) => {
  const folder = t.testdir({ config: 'CONFIG_SMP=y\n' });
  const { files, base } = await observe(folder);
  const { reads, observations: seen } = observations('one', files);
  const states = new GuestStates(2);
  const [first, second] = await Promise.all([states.of(seen, join(folder, 'config')), states.of(seen, null)]);
  t.equal(first, second);
  t.ok([...reads.values()].every((count) => count === 1));
  t.same([...reads.keys()].sort(), [...files.keys()].sort(), 'all that was kept is used');
  const { kernel, values, baseline } = first;
  t.equal(kernel.kallsyms?.find('late')[0]?.address, 0xffffffffc0000000n);
  t.equal(Buffer.compare(kernel.vmlinuxBtf?.bytes ?? new Uint8Array(), base), 0);
  t.same(
    kernel.moduleBtfs.map(({ name }) => name),
    ['mod'],
  );
  t.match(values, { 'config.SMP': 'y', 'config.BPF_JIT': 'n', 'btf.modules': 1, 'kallsyms.symbols': 402 });
  t.same(baseline, { tainted: '0', modules: 'mod', ids: { program: 0, map: 0, link: 0, btf: 2 } });
});

t.test('as many boots are kept in memory as machines may run, the ones asked for last', async (t) => {
  const { files } = await observe(t.testdir({}));
  const boots = ['a', 'b', 'c'].map((key) => observations(key, files));
  const states = new GuestStates(2);
  const ask = async (index: number): Promise<void> => {
    const boot = boots[index];
    if (boot !== undefined) await states.of(boot.observations, null);
  };
  const counts = (): (number | undefined)[] => boots.map(({ reads }) => reads.get('facts.json'));
  for (const index of [0, 1, 0, 2]) await ask(index);
  t.same(counts(), [1, 1, 1]);
  await ask(0);
  t.same(counts(), [1, 1, 1], 'asked for again before the third came');
  await ask(1);
  t.same(counts(), [1, 2, 1], 'forgotten');
});

t.test('a damaged observation is an error, and is read anew the next time', async (t) => {
  const folder = t.testdir({});
  const { files } = await observe(folder);
  for (const [name, damage] of [
    ['kallsyms', 'no symbols'],
    ['vmlinux.btf', 'no BTF'],
    ['facts.json', '{'],
  ] as const) {
    const damaged = new Map(files).set(name, new TextEncoder().encode(damage));
    const { observations: seen } = observations('one', damaged);
    const states = new GuestStates(2);
    await t.rejects(states.of(seen, null), name);
    damaged.set(name, files.get(name) ?? new Uint8Array());
    t.match(await states.of(seen, null), { values: { 'kallsyms.symbols': 402 } }, name);
  }
  writeFileSync(join(folder, 'config'), 'CONFIG_SMP=y\n');
  const states = new GuestStates(2);
  const { observations: seen } = observations('one', files);
  await t.rejects(states.of(seen, join(folder, 'gone')), { code: 'ENOENT' });
  t.equal((await states.of(seen, join(folder, 'config'))).values['config.SMP'], 'y');
});
