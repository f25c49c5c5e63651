import t from 'tap';
import { FactReader } from '../../facts/fact-reader.ts';
import { FakeAgent, type SeenCall } from '../../syscall/test/fake-agent.ts';
import { Features } from '../features.ts';

const [MAP_CREATE, PROG_LOAD, LINK_CREATE, TOKEN_CREATE] = [0, 5, 28, 36] as const;

/** A kernel that answers each command with an errno, and programs with what the verifier says; undefined: it succeeds. */
function kernel(answers: Partial<Record<number, string>>, log = ''): { features: Features; agent: FakeAgent } {
  const agent = new FakeAgent((call: SeenCall) => {
    if (call.command === PROG_LOAD) call.at(32)?.set(new TextEncoder().encode(log));
    return answers[call.command];
  });
  const reader = new FactReader(agent, { vmlinuxBtf: null, kallsyms: null, moduleBtfs: [] });
  return { agent, features: new Features(agent, () => reader) };
}

t.test('conclusive answers are kept, and the others asked for again', async (t) => {
  let errno: string | undefined = 'EPERM';
  const agent = new FakeAgent(({ command }) => (command === MAP_CREATE ? errno : undefined));
  const features = new Features(agent, () => new FactReader(agent));
  const other = new Features(agent, () => new FactReader(agent));
  t.match(await features.mapType('ringbuf'), { support: 'inconclusive', reason: /CAP_BPF/ });
  errno = undefined;
  t.match(await features.mapType('ringbuf'), { support: 'supported' }, 'the rights came');
  errno = 'EINVAL';
  t.match(await features.mapType('ringbuf'), { support: 'supported' }, 'not asked again');
  t.equal(agent.bpfCalls(MAP_CREATE).length, 2);
  t.match(await other.mapType('ringbuf'), { support: 'not-supported' }, 'what one kernel can is no other’s business');
  t.match(await features.mapType('stack'), { support: 'not-supported' });
  t.same([...agent.open], [], 'nothing stays open');
});

t.test('program types are judged by whether the verifier was reached', async (t) => {
  t.match(await kernel({}).features.programType('xdp'), { support: 'supported' });
  t.match(await kernel({ [PROG_LOAD]: 'EINVAL' }).features.programType('netfilter'), { support: 'not-supported' });
  // check_attach_btf_id, kernel/bpf/verifier.c.
  const words = 'attach_btf_id 1 is not a function\n';
  t.match(await kernel({ [PROG_LOAD]: 'EINVAL' }, words).features.programType('tracing'), {
    support: 'supported',
    reason: /attach_btf_id 1/,
  });
  t.match(await kernel({ [PROG_LOAD]: 'EPERM' }).features.programType('xdp'), { support: 'inconclusive' });
  t.match(await kernel({ [PROG_LOAD]: 'ENOMEM' }).features.programType('xdp'), { reason: /ENOMEM/ });
});

t.test('helpers are judged by the verifier’s sentence', async (t) => {
  const ask = async (log: string, helper: string | number = 'bpf_sys_bpf') =>
    (await kernel({ [PROG_LOAD]: 'EINVAL' }, log).features.helper('kprobe', helper)).support;
  // Sentences of check_helper_call, kernel/bpf/verifier.c: of 5.10, of 5.14, and of 6.12 and later.
  t.equal(await ask('0: (85) call unknown#500\ninvalid func unknown#500\n', 500), 'not-supported');
  t.equal(await ask('unknown func bpf_sys_bpf#166\n'), 'not-supported');
  t.equal(await ask('program of this type cannot use helper bpf_sys_bpf#166\n'), 'not-supported');
  t.equal(await ask('R1 !read_ok\n'), 'supported');
  t.equal(await ask('', 'bpf_no_such_helper'), 'not-supported', 'without asking');
  t.equal(await ask(''), 'not-supported', 'no such program type');
  const { features } = kernel({});
  t.match(await features.helper('tracing', 1), { support: 'inconclusive' }, 'nothing to attach to without BTF');
  t.match(await features.helper('ext', 1), { support: 'inconclusive' });
});

t.test('links and tokens are asked for with what is not there', async (t) => {
  const link = async (errno: string, kind: Parameters<Features['link']>[0]) =>
    (await kernel({ [LINK_CREATE]: errno }).features.link(kind)).support;
  t.equal(await link('EBADF', 'perf-event'), 'supported');
  t.equal(await link('EFAULT', 'kprobe-multi'), 'supported');
  t.equal(await link('EFAULT', 'uprobe-multi'), 'supported');
  t.equal(await link('ENODEV', 'tcx'), 'supported');
  t.equal(await link('EINVAL', 'netkit'), 'not-supported');
  t.equal(await link('EPERM', 'tcx'), 'inconclusive');
  const { agent, features } = kernel({ [LINK_CREATE]: 'EFAULT' });
  await features.link('uprobe-multi');
  t.same([...agent.open], [], 'the program is let go of');
  t.equal((await kernel({ [TOKEN_CREATE]: 'EBADF' }).features.token()).support, 'supported');
  t.equal((await kernel({ [TOKEN_CREATE]: 'EINVAL' }).features.token()).support, 'not-supported');
});

t.test('instruction sets, program sizes and attributes', async (t) => {
  const yes = kernel({}).features;
  const no = kernel({ [PROG_LOAD]: 'EINVAL' }, '0: (d7) r0 = bswap16 r0\nunknown opcode d7\n').features;
  for (const ask of [
    (one: Features) => one.instructionSet('v4'),
    (one: Features) => one.largePrograms(),
    (one: Features) => one.boundedLoops(),
    (one: Features) => one.fdArray(),
  ]) {
    t.match(await ask(yes), { support: 'supported' });
    t.match(await ask(no), { support: 'not-supported', reason: /^(unknown opcode d7|EINVAL)$/ });
  }
  t.match(await kernel({ [PROG_LOAD]: 'E2BIG' }).features.fdArray(), { support: 'not-supported', reason: 'E2BIG' });
  t.match(await kernel({}).features.kfunc('xdp', 'bpf_rcu_read_lock'), { reason: /no BTF/ });
  t.match(await kernel({}).features.moduleBtf(), { support: 'not-supported' });
});
