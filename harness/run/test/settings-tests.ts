import t from 'tap';
import type { ObjectContent } from '../../../loader/object/spec.ts';
import { Kallsyms } from '../../../loader/resolve/kallsyms.ts';
import { FakeAgent } from '../../../loader/syscall/test/fake-agent.ts';
import type { Variant } from '../../config/load.ts';
import { runWithSettings } from '../run-with-settings.ts';
import type { Cell } from '../select.ts';
import { applySettings } from '../settings.ts';
import { SPEC, STATE } from './fake-machine.ts';
import { OURS, sampleProgram, selected } from './samples.ts';

const [WRITE, SETRESUID, CAPGET, CAPSET, PRCTL, OPENAT] = [1, 117, 125, 126, 157, 257];
const ALL = (1n << 41n) - 1n;
/** Bits of the effective set (include/uapi/linux/capability.h). */
const [SYSLOG, PERFMON, BPF] = [1n << 34n, 1n << 38n, 1n << 39n];

/** A guest that keeps credentials and sysctls, and notes in which order they are changed. */
class Guest extends FakeAgent {
  effective = ALL;
  user = 0;
  securebits = 0;
  readonly changes: string[] = [];
  readonly sysctls: Record<string, string> = { 'kernel/kptr_restrict': '0' };
  /** Names of calls that fail. */
  refuse: ReadonlySet<number> = new Set();
  #opened = '';

  constructor(lastCapability = 40) {
    super(({ number, args }) => {
      if (this.refuse.has(number)) return 'EPERM';
      const bytes = typeof args[1] === 'object' ? args[1].bytes : new Uint8Array(24);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      if (number === OPENAT) this.#opened = new TextDecoder().decode(bytes).replace(/^\/proc\/sys\/|\0$/g, '');
      if (number === WRITE) this.#change(`${this.#opened}=${new TextDecoder().decode(bytes)}`);
      if (number === CAPGET) {
        view.setUint32(0, Number(this.effective & 0xffff_ffffn), true);
        view.setUint32(12, Number(this.effective >> 32n), true);
        for (const offset of [4, 16]) view.setUint32(offset, 0xffff_ffff, true);
      }
      if (number === CAPSET) {
        this.effective = BigInt(view.getUint32(0, true)) | (BigInt(view.getUint32(12, true)) << 32n);
        this.changes.push(`capset ${this.effective.toString(16)}`);
      }
      if (number === SETRESUID) {
        this.user = Number(args[1]);
        this.changes.push(`user ${this.user}`);
      }
      if (number === PRCTL) this.securebits = Number(args[1]);
      return undefined;
    });
    this.files['/proc/sys/kernel/cap_last_cap'] = `${lastCapability}\n`;
  }

  override async readFile(path: string): Promise<Uint8Array> {
    const text = this.sysctls[path.replace('/proc/sys/', '')];
    if (text !== undefined) return new TextEncoder().encode(text);
    if (path !== '/proc/kallsyms') return super.readFile(path);
    return new TextEncoder().encode((this.effective & SYSLOG) === 0n ? HIDDEN : SHOWN);
  }

  get state(): unknown {
    return [this.effective, this.user, this.securebits, this.sysctls['kernel/kptr_restrict']];
  }

  #change(text: string): void {
    const [name = '', value = ''] = text.split('=');
    this.sysctls[name] = value;
    this.changes.push(text);
  }
}

const AS_BOOTED = [ALL, 0, 0, '0'];
const SHOWN = Array.from(
  { length: 20 },
  (_, index) => `ffffffff8100${String(index).padStart(4, '0')} T f${index}\n`,
).join('');
const HIDDEN = SHOWN.replace(/^\w+/gm, '0000000000000000');
const WANTS: ObjectContent = { ...SPEC, externs: [{ name: 'f1', kind: 'typeless', weak: false, typeId: 0 }] };

async function run(guest: Guest, settings: Partial<Variant>) {
  const variant = { name: 'changed', sysctl: {}, boot: [], ...settings };
  const cell: Cell = { kernel: selected('6.12'), loader: OURS, program: sampleProgram('a', ['changed']), variant };
  const kallsyms = Kallsyms.parse(new TextEncoder().encode(SHOWN));
  const state = { ...STATE, kernel: { ...STATE.kernel, kallsyms } };
  return runWithSettings(cell, { compiled: { spec: WANTS, object: '' }, agent: guest, state, other: null });
}

t.test(
  'capabilities go from the effective set alone, after the user and the sysctls, and come back first',
  async (t) => {
    const guest = new Guest();
    const restore = await applySettings(guest, {
      sysctl: { 'kernel.kptr_restrict': '1' },
      user: 65534,
      capabilities: { only: ['CAP_BPF', 'CAP_PERFMON'] },
    });
    // SECBIT_NO_SETUID_FIXUP is bit 2 of include/uapi/linux/securebits.h.
    t.same(guest.state, [BPF | PERFMON, 65534, 4, '1']);
    await restore();
    t.same(guest.state, AS_BOOTED);
    t.same(guest.changes, [
      'kernel/kptr_restrict=1',
      'user 65534',
      `capset ${(BPF | PERFMON).toString(16)}`,
      `capset ${ALL.toString(16)}`,
      'user 0',
      'kernel/kptr_restrict=0',
    ]);
  },
);

t.test('dropping takes away what is named and nothing else', async (t) => {
  const guest = new Guest();
  const restore = await applySettings(guest, { sysctl: {}, capabilities: { drop: ['CAP_SYSLOG'] } });
  t.same(guest.state, [ALL & ~SYSLOG, 0, 0, '0']);
  await restore();
  t.same(guest.state, AS_BOOTED);
});

t.test('what the loader sees of the kernel is read as the variant lets it', async (t) => {
  const guest = new Guest();
  t.match(await run(guest, {}), { outcome: { class: 'ok' }, left: [] });
  t.match(await run(guest, { capabilities: { drop: ['CAP_CHOWN'] } }), { outcome: { class: 'ok' } });
  const hidden = await run(guest, { capabilities: { drop: ['CAP_SYSLOG'] } });
  t.match(hidden, { outcome: { phase: 'resolve', class: 'kallsyms-hidden', extern: 'f1' }, left: [] });
  t.same(guest.state, AS_BOOTED);
});

t.test('what a kernel cannot be set to is an outcome of its own, and what was set before is put back', async (t) => {
  const unavailable = (message: RegExp) => ({
    outcome: { phase: 'boot', class: 'variant-unavailable', message },
    left: [],
  });
  const guest = new Guest();
  const sysctl = { 'kernel.kptr_restrict': '2', 'kernel.no_such': '1' };
  t.match(await run(guest, { sysctl }), unavailable(/variant changed: .*no sysctl kernel\.no_such/));
  t.same(guest.state, AS_BOOTED);
  // Linux 5.7 ends at CAP_AUDIT_READ.
  const old = new Guest(37);
  const capabilities = { only: ['CAP_BPF'] } as const;
  t.match(
    await run(old, { sysctl: { 'kernel.kptr_restrict': '1' }, user: 1, capabilities }),
    unavailable(/no CAP_BPF.*its last capability is CAP_AUDIT_READ/s),
  );
  t.same(old.state, AS_BOOTED);
  guest.refuse = new Set([WRITE]);
  t.match(await run(guest, { sysctl: { 'kernel.kptr_restrict': '1' } }), unavailable(/set to 1.*EPERM/s));
});

t.test(
  'a setting that cannot be put back is told, so that the machine is replaced, and the outcome stays',
  async (t) => {
    const guest = new Guest();
    const before = guest.readFile.bind(guest);
    guest.readFile = async (path) => {
      // From the first look at the kernel under the variant on.
      if (path === '/proc/kallsyms') guest.refuse = new Set([WRITE]);
      return before(path);
    };
    const { outcome, left } = await run(guest, { sysctl: { 'kernel.kptr_restrict': '1' } });
    t.equal(outcome.class, 'ok');
    t.match(left, [/settings of changed could not be put back: .*EPERM/s]);
  },
);

t.test("the agent's credentials refusing to change is a fault of ours", async (t) => {
  const guest = new Guest();
  guest.refuse = new Set([CAPGET]);
  await t.rejects(run(guest, { capabilities: { only: [] } }), { code: 'credentials-failed' });
});
