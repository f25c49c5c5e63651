import type { Test } from 'tap';
import { AgentError } from '../../agent/agent-error.ts';
import type { Btf } from '../../btf/btf.ts';
import { mapCreateAttr } from '../../maps/create-attr.ts';
import type { MapSpec, ObjectContent } from '../../object/spec.ts';
import type { KernelFacts } from '../../resolve/outcome.ts';
import { FakeAgent } from '../../syscall/test/fake-agent.ts';
import { loadObject } from '../load.ts';
import { planStructOps } from '../struct-ops.ts';

const [MAP_CREATE, MAP_UPDATE, PROG_LOAD, OBJ_PIN, OBJ_GET] = [0, 2, 5, 6, 7] as const;

/** Tests of loading what is special about objects: unknown sections, struct_ops, maps of maps, program arrays, pins. */
export async function testObjectParts(
  t: Test,
  compile: (name: string, source: string) => Promise<ObjectContent>,
  facts: KernelFacts,
): Promise<void> {
  await t.test('what no kernel loads is refused before any is asked, unless it is left out', async (t) => {
    const agent = new FakeAgent();
    const unknown = await compile(
      'unknown.o',
      '#define SEC(n) __attribute__((section(n), used))\nSEC("xdp.frags") int known(void *c) { return 2; } SEC("xpd") int lost(void *c) { return 2; } char L[] SEC("license") = "GPL";',
    );
    await t.rejects(loadObject(unknown, { agent, facts }), {
      code: 'unknown-program-section',
      where: 'unknown.o, section xpd, symbol lost',
      fix: /Did you mean .*xdp/,
    });
    t.equal(agent.calls.length, 0);
    await (await loadObject(unknown, { agent, facts, programs: ['known'] })).close();
    const [load] = agent.bpfCalls(PROG_LOAD);
    // prog_flags is at 44, expected_attach_type at 68: BPF_F_XDP_HAS_FRAGS is 1 << 5, BPF_XDP 37.
    t.same([load?.attr.getUint32(44, true), load?.attr.getUint32(68, true)], [32, 37]);

    const edited = { ...unknown, programs: unknown.programs.map((program) => ({ ...program, type: 'xdp' as const })) };
    await (await loadObject(edited, { agent, facts })).close();
    t.equal(agent.bpfCalls(PROG_LOAD).length, 3, 'whoever says what it is can load it');

    const ops = await compile(
      'ops.o',
      '#define SEC(n) __attribute__((section(n), used))\nstruct my_ops { int (*go)(void *); };\nSEC("struct_ops/go") int go(void *c) { return 0; } SEC("tc") int plain(void *c) { return 0; }\nSEC(".struct_ops") struct my_ops mine = { .go = go };',
    );
    await t.rejects(loadObject(ops, { agent, facts: { ...facts, vmlinuxBtf: null } }), {
      code: 'struct-ops-not-in-kernel',
      why: 'the kernel has no BTF',
    });
    const object = await loadObject(ops, { agent, facts, programs: ['plain'] });
    t.same(object.maps, []);
    await object.close();
    const optional = { ...ops, maps: ops.maps.map((map) => ({ ...map, autocreate: false })) };
    const rest = await loadObject(optional, { agent, facts });
    t.same(
      rest.programs.map(({ spec }) => spec.name),
      ['plain'],
      'programs of struct_ops go with their map',
    );
    await rest.close();
  });

  await t.test('programs of struct_ops are loaded for the member that the kernel has by that name', async (t) => {
    const source = (struct: string, rest: string): string =>
      `#define SEC(n) __attribute__((section(n), used))\n${struct}\n${rest}\nchar L[] SEC("license") = "GPL";`;
    const ops = await compile(
      'ops.o',
      source(
        'struct my_ops___old { int (*go)(void *); };',
        'SEC("?struct_ops/x") int runs(void *c) { return 0; }\nSEC(".struct_ops") struct my_ops___old mine = { .go = runs };',
      ),
    );
    t.same(ops.maps[0]?.structOps, { type: 'my_ops___old', members: [{ name: 'go', program: 'runs' }] });
    const kernel = async (members: string): Promise<KernelFacts & { readonly vmlinuxBtf: Btf }> => {
      const rest = 'struct bpf_struct_ops_my_ops { char common[64]; struct my_ops data; } value;';
      const { btf } = await compile('kernel.o', source(`struct my_ops { ${members} };`, rest));
      if (btf === null) throw new Error('compiled without -g');
      return { ...facts, vmlinuxBtf: btf };
    };
    const agent = new FakeAgent();
    const known = await kernel('long first; int (*other)(void *); int (*go)(void *);');
    await (await loadObject(ops, { agent, facts: known })).close();
    const [create, load] = [agent.bpfCalls(MAP_CREATE)[0]?.attr, agent.bpfCalls(PROG_LOAD)[0]?.attr];
    // union bpf_attr: value_size 8, btf_key_type_id 52, btf_value_type_id 56, btf_vmlinux_value_type_id 60; the kernel's struct is 64 + 24 bytes.
    const value = known.vmlinuxBtf?.find('bpf_struct_ops_my_ops', 'struct')?.id;
    t.same(
      [8, 52, 56, 60].map((offset) => create?.getUint32(offset, true)),
      [88, 0, 0, value],
    );
    // expected_attach_type 68 is the member's index, attach_btf_id 108 the struct.
    const struct = known.vmlinuxBtf?.find('my_ops', 'struct')?.id;
    t.same(
      [load?.getUint32(68, true), load?.getUint32(108, true)],
      [2, struct],
      'although its section says not to load it',
    );

    const inModule = { vmlinuxBtf: facts.vmlinuxBtf, moduleBtfs: [{ name: 'mod', btf: known.vmlinuxBtf }] };
    const plan = planStructOps({ maps: ops.maps, programs: ops.programs }, ops, inModule);
    t.same([plan.modules, plan.targets.get('runs')], [['mod'], { id: struct, module: 'mod' }], 'or a module has it');
    const planned = plan.maps[0] as MapSpec;
    const creation = { name: 'mine', maxEntries: 1, btfFd: 5, innerFd: null, moduleBtfFd: 77 };
    const attr = new DataView(mapCreateAttr(planned, creation).bytes.buffer);
    // map_flags 16 with BPF_F_VTYPE_BTF_OBJ_FD, btf_vmlinux_value_type_id 60, value_type_btf_obj_fd 72.
    t.same(
      [16, 60, 72].map((offset) => attr.getUint32(offset, true)),
      [1 << 15, value, 77],
    );

    await t.rejects(loadObject(ops, { agent, facts: await kernel('long first;') }), {
      code: 'struct-ops-not-in-kernel',
      why: 'struct my_ops of this kernel has no member go',
    });
    const twice = await compile(
      'twice.o',
      source(
        'struct my_ops { int (*go)(void *); int (*other)(void *); };',
        'SEC("struct_ops/x") int runs(void *c) { return 0; }\nSEC(".struct_ops") struct my_ops mine = { .go = runs, .other = runs };',
      ),
    );
    await t.rejects(loadObject(twice, { agent, facts: known }), {
      code: 'struct-ops-reused',
      why: /^it is assigned to my_ops\.\w+ and to my_ops\.\w+, /,
    });
    await t.rejects(loadObject({ ...ops, maps: [] }, { agent, facts: known, programs: ['runs'] }), {
      code: 'struct-ops-unused',
    });
  });

  await t.test(
    'a data section that cannot be filled says why, and an agent that is lost stays what it is',
    async (t) => {
      const source =
        '#define SEC(n) __attribute__((section(n), used))\nint there = 3; SEC("tc") int uses(void *c) { return there; }';
      const spec = await compile('data.o', source);
      const refusing = new FakeAgent(({ command }) => (command === MAP_UPDATE ? 'EPERM' : undefined));
      await t.rejects(loadObject(spec, { agent: refusing, facts }), { name: 'LoadError', phase: 'map', why: /EPERM/ });
      t.same([...refusing.open], [], 'nothing stays open');
      const lost = new FakeAgent(({ command }) => {
        if (command === MAP_UPDATE) throw new AgentError('agent-lost', 'the connection ended');
        return undefined;
      });
      await t.rejects(loadObject(spec, { agent: lost, facts }), { code: 'agent-lost' });
    },
  );

  await t.test('an arena gets its address and its variables before programs that use it are loaded', async (t) => {
    const source = (maps: string): string =>
      `#define SEC(n) __attribute__((section(n), used))\n${maps}int there SEC(".addr_space.1") = 3; SEC("tc") int uses(void *c) { return there; } SEC("tc") int plain(void *c) { return 0; }`;
    const without = await compile('arena.o', source(''));
    const nobody = new FakeAgent();
    await t.rejects(loadObject(without, { agent: nobody, facts }), { code: 'arena-missing', where: /symbol uses$/ });
    t.equal(nobody.calls.length, 0);
    await (await loadObject(without, { agent: nobody, facts, programs: ['plain'] })).close();

    // BPF_MAP_TYPE_ARENA is 33, BPF_F_MMAPABLE 1 << 10.
    const arena = 'struct { int (*type)[33]; int (*map_flags)[1024]; int (*max_entries)[2]; } heap SEC(".maps");\n';
    const spec = await compile('arena.o', source(arena));
    t.match(spec.programs[0]?.references, [{ kind: 'data', map: '.addr_space.1', offset: 0 }]);
    const [mmap, munmap, memfd, pread, write] = [9, 11, 319, 17, 1];
    const address = 0x7f00_0000_0000;
    const answers = new Map([
      [mmap, address],
      [memfd, 77],
      [pread, 4],
    ]);
    const agent = new FakeAgent(({ number }) => answers.get(number));
    await (await loadObject(spec, { agent, facts })).close();
    const seen = agent.calls.filter(({ number }) => [mmap, munmap, memfd, pread, write].includes(number));
    t.same(
      seen.map(({ number }) => number),
      [mmap, memfd, write, pread, munmap],
    );
    t.same(seen[0]?.args.slice(0, 4), [0, 2 * 4096, 3, 1], 'PROT_READ | PROT_WRITE, MAP_SHARED');
    t.match(seen[2]?.args, [77, { bytes: Uint8Array.of(3, 0, 0, 0) }, 4]);
    t.same(seen[3]?.args, [77, address, 4, 0]);
    const code = agent.bpfCalls(PROG_LOAD)[0]?.at(8);
    // The register byte of the first instruction: BPF_PSEUDO_MAP_VALUE is 2.
    t.equal((code?.[1] ?? 0) >> 4, 2);
    const crowded = { ...spec, maps: spec.maps.map((map) => ({ ...map, arenaData: new Uint8Array(8193) })) };
    await t.rejects(loadObject(crowded, { agent, facts }), { code: 'map-rejected', message: /8193 bytes/ });
  });

  await t.test('maps of maps, program arrays and pins are told to the kernel in their order', async (t) => {
    const linked = await compile(
      'linked.o',
      `#define SEC(n) __attribute__((section(n), used))
struct inner { int (*type)[2]; int (*max_entries)[1]; int (*key_size)[4]; int (*value_size)[8]; };
struct inner one SEC(".maps");
struct { int (*type)[12]; int (*max_entries)[4]; int (*key_size)[4]; struct inner *values[]; } outer SEC(".maps") = { .values = { [2] = &one } };
int go(void *), skipped(void *);
struct { int (*type)[3]; int (*max_entries)[4]; int (*key_size)[4]; int (*values[])(void *); } jumps SEC(".maps") = { .values = { [1] = go, [3] = skipped } };
struct { int (*type)[30]; int (*max_entries)[4]; int (*value_size)[4]; int (*map_extra)[5]; int (*pinning)[1]; } kept SEC(".maps");
SEC("tc") int go(void *c) { return 0; } SEC("?tc") int skipped(void *c) { return 0; }`,
    );
    const agent = new FakeAgent(({ command }) => (command === OBJ_GET ? 'ENOENT' : undefined));
    const object = await loadObject(linked, { agent, facts, pinFolder: '/bpf/' });
    const maps = agent.bpfCalls(MAP_CREATE);
    // map_type at 0, inner_map_fd at 20, map_extra at 64.
    t.same(
      maps.map(({ attr, length }) => [
        attr.getUint32(0, true),
        attr.getUint32(20, true),
        length > 64 ? attr.getBigUint64(64, true) : 0n,
      ]),
      [
        [2, 0, 0n],
        [2, 0, 0n],
        [12, object.map('one').fd + 1, 0n],
        [3, 0, 0n],
        [30, 0, 5n],
      ],
      'the second is what outer’s elements look like',
    );
    t.notOk(agent.open.has(object.map('one').fd + 1), 'which is closed again');
    const elements = agent.bpfCalls(MAP_UPDATE).map((call) => {
      const number = (offset: number): number => Buffer.from(call.at(offset) ?? []).readUInt32LE();
      return [call.attr.getUint32(0, true), number(8), number(16)];
    });
    t.same(elements, [
      [object.map('outer').fd, 2, object.map('one').fd],
      [object.map('jumps').fd, 1, object.program('go').fd],
    ]);
    const commands = agent.calls.map(({ command }) => command);
    t.ok(commands.lastIndexOf(OBJ_PIN) > commands.lastIndexOf(PROG_LOAD), 'pinned when all else has gone well');
    t.equal(Buffer.from(agent.bpfCalls(OBJ_PIN)[0]?.at(0) ?? []).toString(), '/bpf/kept\0');
    await object.close();
    t.same([...agent.open], []);

    const failing = new FakeAgent(({ command }) =>
      command === OBJ_GET ? 'ENOENT' : command === OBJ_PIN ? 'EEXIST' : undefined,
    );
    await t.rejects(loadObject(linked, { agent: failing, facts }), {
      code: 'map-rejected',
      why: /\/sys\/fs\/bpf\/kept: EEXIST/,
    });
    t.same([...failing.open], []);
  });
}
