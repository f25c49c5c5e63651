import type { Test } from 'tap';
import { AgentError } from '../../agent/agent-error.ts';
import { SYSCALL_X86_64 } from '../../agent/syscall-numbers.ts';
import { RingBuffer } from '../../buffers/ring-buffer.ts';
import { UserRingBuffer } from '../../buffers/user-ring-buffer.ts';
import type { ExplainedError } from '../../errors.ts';
import { attachCgroup } from '../../links/cgroup.ts';
import { Link } from '../../links/link.ts';
import { attachXdp } from '../../links/network.ts';
import { attachSockmap } from '../../links/sockets.ts';
import { attachTc } from '../../links/tc.ts';
import { mapTypeNumber } from '../../object/map-types.ts';
import type { MapSpec, ProgramSpec } from '../../object/spec.ts';
import { LoadedProgram } from '../../programs/loaded-program.ts';
import { openPinned, pinObject } from '../../syscall/pin.ts';
import { FakeAgent } from '../../syscall/test/fake-agent.ts';
import { accessError } from '../access-error.ts';
import { LoadedMap } from '../loaded-map.ts';

const PROGRAM: ProgramSpec = {
  name: 'pass',
  section: 'xdp',
  type: 'xdp',
  attachType: 37,
  attachTarget: null,
  sleepable: false,
  autoload: true,
  code: new Uint8Array(),
  references: [],
  functions: [],
  lines: [],
  coreRelocations: [],
};
const KEY = new Uint8Array(4);
const explain = (error: ExplainedError): string => error.explain();

const DUP = SYSCALL_X86_64.dup;

/** Tests of what is closed, and of agents that are gone; of what errors say. */
export async function testLifetimes(t: Test, hash: MapSpec): Promise<void> {
  await t.test('what is closed refuses, for its descriptor may be that of another object by now', async (t) => {
    const agent = new FakeAgent();
    const map = new LoadedMap(agent, hash, 50);
    const program = new LoadedProgram(agent, PROGRAM, 51, '');
    const link = new Link({ agent, kind: 'xdp', target: 'interface lo', fd: 52, descriptors: [53] });
    for (const one of [map, program, link, map, program, link]) await one.close();
    const closed = agent.calls.filter(({ number }) => number === 3).map(({ args }) => args[0]);
    t.same(closed, [50, 51, 52, 53], 'each descriptor is closed once');
    agent.calls.splice(0);
    const attempts: Record<string, (() => Promise<unknown>)[]> = {
      'map hash': [
        () => map.lookup(KEY),
        () => map.update(KEY, KEY),
        () => map.updateMany([[KEY, KEY]]),
        () => map.delete(KEY),
        () => map.keys(),
        () => map.freeze(),
        () => map.info(),
        () => map.pin('/sys/fs/bpf/x'),
        () =>
          RingBuffer.open({
            agent,
            spec: { ...hash, type: 27 },
            get fd() {
              return map.fd;
            },
          }),
      ],
      'program pass': [
        () => program.testRun(),
        () => program.info(),
        () => program.pin('/sys/fs/bpf/x'),
        () => program.attach({ interface: 1 }),
      ],
      'xdp interface lo': [
        () => link.info(),
        () => link.update({ fd: 5 }),
        () => link.detach(),
        () => link.pin('/sys/fs/bpf/x'),
      ],
    };
    for (const [where, works] of Object.entries(attempts)) {
      for (const work of works) await t.rejects(work(), { code: 'closed', where });
    }
    t.same(agent.calls, [], 'and the kernel is not asked');
  });

  await t.test('a user ring buffer that is closed writes nowhere, and says what never fits', async (t) => {
    const agent = new FakeAgent();
    const spec = { ...hash, type: mapTypeNumber('user_ringbuf'), keySize: 0, valueSize: 0, maxEntries: 4096 };
    const buffer = await UserRingBuffer.open(new LoadedMap(agent, spec, 50));
    await t.rejects(buffer.write(new Uint8Array(4000), new Uint8Array(100)), { code: 'record-too-long', why: /4096/ });
    await buffer.close();
    await t.rejects(buffer.write(new Uint8Array(8)), { code: 'closed' });
  });

  await t.test('closing is no error when the agent is gone, except of what nothing but a request ends', async (t) => {
    let gone = false;
    const agent = new FakeAgent(() => {
      if (gone) throw new AgentError('agent-lost', 'the connection ended');
      return undefined;
    });
    const map = new LoadedMap(agent, hash, 50);
    const undo = async (): Promise<void> => void (await agent.syscall({ number: 1, args: [] }));
    const [held, filter] = [50, null].map(
      (fd) => new Link({ agent, kind: 'tc', target: 'lo', fd, ...(fd === null ? { undo } : {}) }),
    );
    gone = true;
    await map.close();
    await held?.close();
    await t.rejects(filter?.close() ?? Promise.resolve(), { code: 'agent-lost' }, 'a tc filter is still there');
    await t.rejects(new LoadedMap(agent, hash, 50).lookup(KEY), { code: 'agent-lost' });
  });

  await t.test('refusals say what the kernel means by its errno', async (t) => {
    const of = (change: Partial<MapSpec>): MapSpec => ({ ...hash, ...change });
    const type = (name: 'array' | 'ringbuf' | 'hash_of_maps' | 'prog_array' | 'queue'): MapSpec =>
      of({ type: mapTypeNumber(name) });
    for (const [spec, action, errno, text] of [
      [of({ name: '.rodata', frozen: true }), 'write to', 1, /EPERM.*was frozen.*\n.*before the load/],
      [hash, 'write to', 1, /EPERM.*CAP_BPF/],
      [hash, 'write to', 7, /E2BIG.*full: it holds 10 elements\n.*maxEntries/],
      [type('queue'), 'push to', 7, /full/],
      [type('queue'), 'list the keys of', 22, /have no keys\n.*pop and peek/],
      [type('array'), 'write to', 7, /last index is 9/],
      [hash, 'write to', 17, /EEXIST.*BPF_NOEXIST/],
      [hash, 'write to', 2, /ENOENT.*BPF_EXIST/],
      [type('ringbuf'), 'list the keys of', 524, /no elements\n.*RingBuffer/],
      [type('ringbuf'), 'read', 22, /no elements/],
      [hash, 'push to', 14, /have keys\n.*queues/],
      [type('array'), 'delete from', 22, /elements of an array stay/],
      [type('hash_of_maps'), 'write to', 22, /bpf_map_meta_equal/],
      [type('prog_array'), 'write to', 22, /bpf_prog_map_compatible/],
    ] as const) {
      t.match(explain(accessError(spec, action, errno)), text);
    }

    const agent = new FakeAgent(({ command }) => (command === 10 ? 'EINVAL' : undefined));
    const program = new LoadedProgram(agent, PROGRAM, 51, '');
    const run = (options: Parameters<LoadedProgram['testRun']>[0]): Promise<unknown> => program.testRun(options);
    await t.rejects(run({ repeat: -1 }), { code: 'test-run-failed', why: /-1 times/ });
    await t.rejects(run({ repeat: 1.5 }), { code: 'test-run-failed' });
    await t.rejects(run({ data: new Uint8Array(3) }), { code: 'test-run-failed', fix: /at least 14 bytes.* 3$/ });
    await t.rejects(run({ data: new Uint8Array(9000) }), { code: 'test-run-failed', fix: /fit into a page/ });
    await t.rejects(run({ context: new Uint8Array(24) }), { code: 'test-run-failed', fix: /have to be zero/ });

    for (const index of [0, -1, 1.5, Number.NaN, 2 ** 31]) {
      await t.rejects(attachXdp(program, { interface: index }), { code: 'attach-no-such-interface' });
    }
    for (const priority of [-1, 0.5, 0x1_0001]) {
      const beyond = attachTc(program, { interface: 1, priority });
      await t.rejects(beyond, { code: 'attach-tc', message: new RegExp(`priority ${priority}$`), fix: /65535/ });
    }
    // One descriptor that cannot be kept leaves none behind, and is not taken for the other.
    let copied = 0;
    const crowded = new FakeAgent(({ command, number }) =>
      command === 28 ? 'EINVAL' : number === DUP && ++copied === 2 ? 'EMFILE' : undefined,
    );
    const message = { ...PROGRAM, type: 'sk_msg', attachType: 7, section: 'sk_msg' } as const;
    const both = attachSockmap(new LoadedProgram(crowded, message, 51, ''), { map: { fd: 52 } });
    await t.rejects(both, { code: 'attach-sockmap', why: /^EMFILE/ });
    t.same([...crowded.open], []);
    t.same(crowded.bpfCalls(8), [], 'BPF_PROG_ATTACH was not asked for');
    // IFNAMSIZ less the final zero; the kernel would take the beginning for another interface's name.
    for (const name of ['sixteen-letters-', 'ütf-8-ütf-8-üü', '…'.repeat(15)]) {
      await t.rejects(attachXdp(program, { interface: name }), {
        code: 'attach-no-such-interface',
        why: /at most 15 /,
      });
    }
    const oldKernel = new FakeAgent(({ command }) => (command === 28 ? 'EINVAL' : command === 8 ? 'EPERM' : undefined));
    const group = { ...PROGRAM, type: 'cgroup_skb', attachType: 0, section: 'cgroup_skb/ingress' } as const;
    await t.rejects(attachCgroup(new LoadedProgram(oldKernel, group, 51, ''), { cgroup: '/sys/fs/cgroup' }), {
      code: 'attach-cgroup',
      why: /^EPERM/,
    });
    const wrong: object = { interface: 1, mode: 'drv' };
    await t.rejects(attachXdp(program, wrong), { code: 'attach-xdp', fix: /generic, driver, hardware/ });
    const refusing = new FakeAgent(() => 'EINVAL');
    const other = new LoadedProgram(refusing, PROGRAM, 51, '');
    await t.rejects(attachXdp(other, { interface: 1 }), {
      code: 'attach-xdp',
      fix: /^this kernel, 6\.1\.0, is new enough/,
    });

    const pinned = new FakeAgent(({ command }) => (command === 7 ? 60 : undefined));
    pinned.files = { '/proc/self/fdinfo/60': 'pos:\t0\nflags:\t02000002\nprog_type:\t6\n' };
    await t.rejects(openPinned(pinned, '/a/b', 'map'), { code: 'pin-kind', message: /is a program, not a map/ });
    t.match(pinned.calls.at(-1)?.args, [60], 'and its descriptor is closed');
    t.equal(await openPinned(pinned, '/a/b', 'program'), 60);
    const nowhere = new FakeAgent(() => 'ENOENT');
    await t.rejects(pinObject(nowhere, 5, '/a/b'), { code: 'pin-failed', fix: /one folder is made/ });
    await t.rejects(openPinned(nowhere, '/a/b', 'map'), { code: 'pin-missing', fix: /nothing is pinned there/ });
  });
}
