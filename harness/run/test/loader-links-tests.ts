import type { Test } from 'tap';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { KernelStore } from '../../../kernels/store.ts';
import { syscallNumber } from '../../../loader/agent/syscall-numbers.ts';
import { compileBpf } from '../../../loader/elf/test/compile.ts';
import {
  type AgentConnection,
  attachNetfilter,
  attachReuseport,
  attachSocketFilter,
  attachUprobe,
  IteratorLink,
  type Kernel,
  type LoadedProgram,
  ObjectSpec,
} from '../../../loader/index.ts';
import { INCLUDE } from '../../../loader/object/test/sources.ts';
import { programInfo } from '../../../loader/programs/info.ts';
import { AttrWriter, cstring } from '../../../loader/syscall/attr.ts';
import { BpfCommand, bpf } from '../../../loader/syscall/bpf.ts';
import { loadModules } from '../../guest/guest-modules.ts';
import { CGROUP, ITERATOR, LINK_CASES, LINKS, type Trigger } from './loader-links.ts';

const FLAGS = { flags: ['-g', '-O2', INCLUDE] };
const PIN = '/sys/fs/bpf/link';
/** getpid, which nothing else in the guest calls as often. */
const GETPID = 39;
const TC_MODULES = ['sch_ingress', 'cls_bpf'];

/** What the tests of links need in a guest: tc's filters, which Debian's kernels have as modules, cgroup2 and an interface that is up. */
async function prepare(agent: AgentConnection, name: string): Promise<void> {
  const tree = await new KernelStore({ cache: cacheDirectory() }).get({ debian: name }, { modules: TC_MODULES });
  await loadModules(agent, tree, TC_MODULES);
  await mount(agent, 'cgroup2', CGROUP);
  await mount(agent, 'bpf', '/sys/fs/bpf');
  await agent.execute({ argv: ['/bin/busybox', 'ifconfig', 'lo', '127.0.0.1', 'up'] });
}

async function mount(agent: AgentConnection, type: string, path: string): Promise<void> {
  const number = syscallNumber(agent.hello.machine, 'mount');
  await agent.syscall({ number, args: [cstring(type), cstring(path), cstring(type), 0, 0] });
}

/** A socket of the agent that receives at a port of 127.0.0.1. */
async function openSocket(
  agent: AgentConnection,
  port: number,
  beforeBind: (fd: number) => Promise<void> = async () => undefined,
): Promise<{ fd: number; address: Uint8Array }> {
  const { machine } = agent.hello;
  const { value: fd } = await agent.syscall({ number: syscallNumber(machine, 'socket'), args: [2, 2, 0] });
  await beforeBind(fd);
  const address = Uint8Array.of(2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  await agent.syscall({
    number: syscallNumber(machine, 'bind'),
    args: [fd, { bytes: address, direction: 'in' }, address.length],
  });
  return { fd, address };
}

async function sendPacket(agent: AgentConnection, to: { fd: number; address: Uint8Array }): Promise<void> {
  const bytes = new Uint8Array(32);
  const address = { bytes: to.address, direction: 'in' } as const;
  const number = syscallNumber(agent.hello.machine, 'sendto');
  await agent.syscall({ number, args: [to.fd, { bytes, direction: 'in' }, bytes.length, 0, address, 16] });
}

async function pull(kernel: Kernel, trigger: Trigger, program: LoadedProgram): Promise<void> {
  const { agent } = kernel;
  if (trigger === 'getpid') await agent.syscall({ number: GETPID, args: [] });
  if (trigger === 'open') await agent.readFile('/proc/version');
  if (trigger === 'test-run') await program.testRun();
  if (trigger === 'time') await agent.execute({ argv: ['/bin/busybox', 'usleep', '300000'] });
  if (trigger !== 'packet') return;
  const socket = await openSocket(agent, 4711);
  await sendPacket(agent, socket);
  await agent.syscall({ number: syscallNumber(agent.hello.machine, 'close'), args: [socket.fd] });
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Tests of all kinds of links, on the kernel of that name. */
export async function testLinks(t: Test, name: string, kernel: Kernel): Promise<void> {
  const folder = t.testdir();
  const links = ObjectSpec.parse(compileBpf(folder, 'links', LINKS, FLAGS).bytes, 'links.o');
  const iterator = ObjectSpec.parse(compileBpf(folder, 'iterator', ITERATOR, FLAGS).bytes, 'iterator.o');
  await prepare(kernel.agent, name);
  const line = Number(/^\d+\.\d+/.exec(kernel.release)?.[0].replace(/\.(\d)$/, '.0$1'));
  const has = (since = 0): boolean => line >= Number(String(since).replace(/\.(\d)$/, '.0$1'));

  await t.test(`${name}: a program runs for as long as its link is there, whatever it is attached to`, async (t) => {
    for (const { name: short, trigger, options, kind, since, linkSince } of LINK_CASES) {
      if (!has(since)) continue;
      await using object = await kernel.load(links.copy(), { programs: [`on_${short}`] });
      const program = object.program(`on_${short}`);
      const runs = async (): Promise<number> => Number(await object.variable(`${short}_runs`).get());
      await pull(kernel, trigger, program);
      t.equal(await runs(), 0, `${short} does not run before`);
      const link = await program.attach(options);
      await pull(kernel, trigger, program);
      const during = await runs();
      // Debian's kernels have the BPF LSM only where its command line asks for it, and nothing here is dissected.
      if (trigger !== 'none' && short !== 'lsm') t.ok(during > 0, `${short} ran ${during} times`);
      t.equal(link.fd !== null, has(linkSince), `${short}: a BPF link, or none`);
      if (link.fd !== null) t.match((await link.info()).details, { kind }, `${short} is a ${kind} link`);
      else t.match(await failure(link.info()), { code: 'link-without-descriptor' });
      await link.close();
      const after = await runs();
      await pull(kernel, trigger, program);
      t.equal(await runs(), after, `${short} does not run after`);
    }
  });

  await t.test(`${name}: cookies, sockets, iterators and functions of user space`, async (t) => {
    for (const [short, trigger, since] of [
      ['cookie_tp', 'getpid', 5.15],
      ['cookie_kprobe', 'getpid', 5.15],
      ['cookie_fentry', 'test-run', 5.19],
    ] as const) {
      // The helper itself came with 5.15: older kernels refuse the program.
      if (!has(5.15)) continue;
      await using object = await kernel.load(links.copy(), { programs: [`on_${short}`] });
      const program = object.program(`on_${short}`);
      t.ok(has(since));
      await using link = await program.attach({ cookie: 0x1234_5678_9abcn });
      await pull(kernel, trigger, program);
      t.equal(await object.variable(`${short}_cookie`).get(), 0x1234_5678_9abcn, `${link.kind} has its cookie`);
    }
    await using object = await kernel.load(links.copy(), { programs: ['on_tp', 'on_filter', 'on_uprobe'] });
    const runs = async (short: string): Promise<unknown> => object.variable(`${short}_runs`).get();
    if (!has(5.15)) {
      const refused = await failure(object.program('on_tp').attach({ cookie: 1n }));
      t.match(refused, { code: 'attach-perf-event', fix: /5\.15; this kernel is 5\.10/ });
    }

    const socket = await openSocket(kernel.agent, 4712);
    const filter = await attachSocketFilter(object.program('on_filter'), socket.fd);
    await sendPacket(kernel.agent, socket);
    t.equal(await runs('filter'), 1, 'a packet for the socket ran the filter');
    await filter.close();
    await sendPacket(kernel.agent, socket);
    t.equal(await runs('filter'), 1, 'and the next did not');

    // Where the program begins in its file: every start of busybox passes there.
    const head = await kernel.agent.readFile('/bin/busybox', { maxBytes: 64 });
    const entry = new DataView(head.buffer, head.byteOffset).getBigUint64(24, true);
    const uprobe = await attachUprobe(object.program('on_uprobe'), {
      path: '/bin/busybox',
      offset: Number(entry % 0x400000n),
    });
    await kernel.agent.execute({ argv: ['/bin/busybox', 'true'] });
    t.equal(await runs('uprobe'), 1, 'the start of a program ran the probe');
    await uprobe.close();

    await using visitor = await kernel.load(iterator.copy());
    const each = await visitor.program('each').attach();
    t.ok(each instanceof IteratorLink);
    if (!(each instanceof IteratorLink)) return;
    const ids = (await Promise.all(visitor.maps.map((map) => map.info()))).map(({ id }) => id);
    // Each reading begins anew. Maps of others may come and go in between: the kernel drops what was closed a little later.
    for (const reading of ['first', 'second']) {
      const before = Number(await visitor.variable('visits').get());
      const words = new Uint32Array((await each.read()).slice().buffer);
      for (const id of ids) t.ok(words.includes(id), `map ${id} was visited in the ${reading} reading`);
      const visits = Number(await visitor.variable('visits').get()) - before;
      t.equal(words.length / 2, visits, 'each visit wrote its two words');
    }
    await each.close();
  });

  await t.test(`${name}: maps and groups of sockets`, (t) => testSockets(t, kernel, has(6.1)));

  await t.test(`${name}: links are updated, detached, pinned and opened again`, async (t) => {
    await using object = await kernel.load(links.copy(), { programs: ['on_xdp', 'on_drop', 'on_raw'] });
    const runs = async (short: string): Promise<unknown> => object.variable(`${short}_runs`).get();
    const [xdp, drop, raw] = ['on_xdp', 'on_drop', 'on_raw'].map((one) => object.program(one));
    if (xdp === undefined || drop === undefined || raw === undefined) throw new Error('three programs');
    const link = await xdp.attach({ interface: 'lo', mode: 'generic' });
    t.match(await failure(drop.attach({ interface: 'lo', mode: 'generic' })), { code: 'attach-xdp', why: /EBUSY/ });
    await link.update(drop);
    await pull(kernel, 'packet', drop);
    t.same([await runs('xdp'), await runs('drop')], [0, 1], 'the other program took its place');

    await link.pin(PIN);
    t.match(await failure(link.pin(PIN)), { code: 'pin-exists' });
    await link.close();
    await pull(kernel, 'packet', drop);
    t.equal(await runs('drop'), 2, 'what is pinned stays attached');
    const again = await kernel.openPinnedLink(PIN);
    t.match(await again.info(), { details: { kind: 'xdp', target: 1 } });
    await again.detach();
    await pull(kernel, 'packet', drop);
    t.equal(await runs('drop'), 2, 'not after it was detached');
    t.match(await again.info(), { details: { target: 0 } }, 'the link is there, without an interface');
    await again.close();
    await link.unpin();
    t.match(await failure(kernel.openPinnedLink(PIN)), { code: 'pin-missing' });

    const traced = await raw.attach();
    t.match(await failure(traced.update(drop)), { code: 'link-update', fix: /close it/ });
    t.match(await failure(traced.detach()), { code: 'link-detach' });
    const { id } = await traced.info();
    const byId = await kernel.openLinkById(id);
    await traced.close();
    await kernel.agent.syscall({ number: GETPID, args: [] });
    t.ok(Number(await runs('raw')) > 0, 'another descriptor of the link holds it');
    await byId.close();
    await raw.pin('/sys/fs/bpf/program');
    const pinned = await kernel.openPinnedProgram('/sys/fs/bpf/program');
    t.equal(pinned.spec.type, 'raw_tracepoint');
    await using later = await pinned.attach({ name: 'sys_exit' });
    t.equal((await later.info()).programId, (await byProgram(pinned)).id);
    await raw.unpin();
    await pinned.close();
  });

  await t.test(`${name}: what cannot be attached is told with the reason`, async (t) => {
    const names = ['tp', 'raw', 'kprobe', 'xdp', 'tc', 'egress', 'filter', 'hook'];
    await using object = await kernel.load(links.copy(), {
      programs: names.slice(0, has(6.4) ? 8 : 7).map((one) => `on_${one}`),
    });
    const refusal = (short: string, options = {}): Promise<unknown> =>
      failure(object.program(`on_${short}`).attach(options));
    t.match(await refusal('tp', { name: 'syscalls/sys_enter_getpit' }), {
      code: 'attach-no-such-tracepoint',
      where: 'program on_tp',
      fix: /did you mean syscalls\/sys_enter_getpid/,
    });
    t.match(await refusal('tp', { name: 'getpid' }), { code: 'attach-target-missing', why: /no group and name/ });
    t.match(await refusal('raw', { name: 'sched_swich' }), {
      code: 'attach-no-such-tracepoint',
      fix: /did you mean sched_switch/,
    });
    t.match(await refusal('kprobe', { function: 'vfs_unlnk' }), {
      code: 'attach-no-such-function',
      fix: /did you mean vfs_unlink/,
    });
    t.match(await refusal('kprobe', { offset: 1 }), { code: 'attach-kprobe', why: /no instruction begins/ });
    t.match(await refusal('xdp'), { code: 'attach-target-missing', fix: /interface/ });
    t.match(await refusal('xdp', { interface: 'lo0' }), {
      code: 'attach-no-such-interface',
      why: /there is .*lo/,
      fix: 'did you mean lo?',
    });
    t.match(await refusal('tc', { interface: 9999 }), { code: 'attach-tc', why: /ENODEV/ });
    t.match(await refusal('egress'), { code: 'attach-target-missing' });
    t.match(await refusal('egress', { cgroup: '/nowhere' }), { code: 'attach-no-such-cgroup' });
    t.match(await refusal('egress', { cgroup: '/proc' }), { code: 'attach-cgroup', fix: /cgroup2/ });
    t.match(await refusal('filter'), { code: 'attach-unknown', fix: /attachSocketFilter/ });
    if (!has(6.4)) return;
    t.match(await refusal('hook'), { code: 'attach-unknown', fix: /attachNetfilter/ });
    const hook = object.program('on_hook');
    await using link = await attachNetfilter(hook, { hook: 3, priority: 100 });
    t.match((await link.info()).details, { kind: 'netfilter', hook: 3, priority: 100 });
    t.match(await failure(attachNetfilter(hook, { hook: 3, priority: 100 })), {
      code: 'attach-netfilter',
      why: /EBUSY/,
    });
    await pull(kernel, 'packet', hook);
    t.ok(Number(await object.variable('hook_runs').get()) > 0, 'a packet that leaves passes the hook');
  });
}

const SOCKETS = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_SOCKMAP); __type(key, __u32); __type(value, __u64); __uint(max_entries, 2); } sockets SEC(".maps");
int verdicts, choices;
SEC("sk_skb/verdict") int verdict(struct __sk_buff *skb) { verdicts++; return SK_PASS; }
SEC("sk_msg") int message(struct sk_msg_md *msg) { return SK_PASS; }
SEC("sk_reuseport") int choose(struct sk_reuseport_md *ctx) { choices++; return SK_PASS; }
char LICENSE[] SEC("license") = "GPL";`;
/** include/uapi/asm-generic/socket.h. */
const [SOL_SOCKET, SO_REUSEPORT] = [1, 15];

/** sk_skb programs see UDP since Linux 5.13 (1f5be6b3b063); maps of sockets have links since 6.10. */
async function testSockets(t: Test, kernel: Kernel, links: boolean): Promise<void> {
  const { agent } = kernel;
  const spec = ObjectSpec.parse(compileBpf(t.testdir(), 'sockets', SOCKETS, FLAGS).bytes, 'sockets.o');
  await using object = await kernel.load(spec, {
    programs: links ? ['verdict', 'message', 'choose'] : ['message', 'choose'],
  });
  const map = object.map('sockets');
  const [message, choose] = [object.program('message'), object.program('choose')];
  t.match(await failure(message.attach()), { code: 'attach-target-missing', fix: /attach\({ map }\)/ });
  t.match(await failure(message.attach({ map: object.map('.bss') })), { code: 'attach-sockmap', fix: /sockmap/ });
  const link = await message.attach({ map });
  t.equal(link.fd !== null, links, 'a BPF link, or none');
  await link.close();
  const detach = new AttrWriter()
    .u32(map.fd)
    .u32(message.fd)
    .u32(message.spec.attachType ?? 0)
    .u32(0)
    .finish();
  t.ok((await bpf(agent, BpfCommand.programDetach, detach)).errno > 0, 'it is not attached any more');

  t.match(await failure(choose.attach()), { code: 'attach-unknown', fix: /attachReuseport/ });
  const number = syscallNumber(agent.hello.machine, 'setsockopt');
  const one = { bytes: Uint8Array.of(1, 0, 0, 0), direction: 'in' } as const;
  const socket = await openSocket(agent, 4713, async (fd) => {
    t.match(await failure(attachReuseport(choose, fd)), { code: 'attach-socket', fix: /SO_REUSEPORT/ });
    await agent.syscall({ number, args: [fd, SOL_SOCKET, SO_REUSEPORT, one, 4] });
  });
  const group = await attachReuseport(choose, socket.fd);
  await sendPacket(agent, socket);
  t.equal(await object.variable('choices').get(), 1, 'a packet for the group of sockets ran the program');
  await group.close();
  await sendPacket(agent, socket);
  t.equal(await object.variable('choices').get(), 1, 'and the next did not');

  if (!links) return;
  const other = await openSocket(agent, 4714);
  const address = other.address.slice();
  const connect = syscallNumber(agent.hello.machine, 'connect');
  await agent.syscall({ number: connect, args: [other.fd, { bytes: address, direction: 'in' }, 16] });
  await using verdict = await object.program('verdict').attach({ map });
  await map.update(new Uint8Array(4), new Uint8Array(BigUint64Array.of(BigInt(other.fd)).buffer));
  t.match((await verdict.info()).details, { kind: 'sockmap' });
  await sendPacket(agent, other);
  t.equal(await object.variable('verdicts').get(), 1, 'a packet for a socket of the map ran the program');
}

async function byProgram(program: LoadedProgram): Promise<{ id: number }> {
  return programInfo(program.agent, program.fd);
}
