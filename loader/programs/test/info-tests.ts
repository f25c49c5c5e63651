import type { Test } from 'tap';
import { btfInfo } from '../../syscall/btf-info.ts';
import { linkInfo } from '../../syscall/link-info.ts';
import { objectIds, openObject } from '../../syscall/object-ids.ts';
import { FakeAgent, type SeenCall } from '../../syscall/test/fake-agent.ts';
import { programInfo } from '../info.ts';

/** Answers BPF_OBJ_GET_INFO_BY_FD: writes fields into the structure, and says how much of it this kernel knows. */
function answerInfo(call: SeenCall, length: number, fields: Readonly<Record<number, number>>): DataView {
  const info = call.at(8) ?? new Uint8Array();
  const view = new DataView(info.buffer, info.byteOffset, info.length);
  for (const [offset, value] of Object.entries(fields)) view.setUint32(Number(offset), value, true);
  call.attr.setUint32(4, length, true);
  return view;
}

/** Tests of what the kernel says about its objects. */
export function testInfo(t: Test): void {
  t.test('program info of an older kernel ends earlier; what it lacks is null, not zero', async (t) => {
    const GET_INFO = 15;
    // struct bpf_prog_info of 5.10 ends at run_cnt (208 bytes); 7.3's has 232.
    const fields = { 0: 3, 4: 77, 16: 100, 20: 16, 52: 1, 84: 1, 104: 0, 128: 9, 132: 8, 144: 1, 172: 16, 148: 0 };
    const old = new FakeAgent((call) => {
      if (call.command === GET_INFO) answerInfo(call, 208, fields);
      return undefined;
    });
    const info = await programInfo(old, 5);
    t.match(info, {
      type: 3,
      id: 77,
      jitedSize: 100,
      gplCompatible: true,
      btfId: 9,
      recursionMisses: null,
      verifiedInstructions: null,
      attachBtfId: null,
    });
    t.equal(info.instructions, null, 'the pointer came back as zero: not to be seen');
    t.equal(info.functionAddresses, null);
    t.same(info.mapIds.length, 1);
    const [first, second] = old.bpfCalls(GET_INFO);
    t.equal(first?.attr.getUint32(4, true), 232, 'asked with the newest size');
    t.equal(second?.attr.getUint32(0, true), 5);
    const newer = new FakeAgent((call) => {
      if (call.command === GET_INFO) answerInfo(call, 232, { ...fields, 216: 13, 32: 1 }).setUint32(224, 4, true);
      return undefined;
    });
    t.match(await programInfo(newer, 5), { verifiedInstructions: 13, recursionMisses: 0n, attachBtfId: 4 });
    const refusing = new FakeAgent((call) => (call.command === GET_INFO ? 'EINVAL' : undefined));
    await t.rejects(programInfo(refusing, 5), { code: 'object-info-failed', why: /EINVAL/ });
  });

  t.test('ids are listed to their end, and what is gone is null', async (t) => {
    const ids = [4, 9];
    const agent = new FakeAgent((call) => {
      const asked = call.attr.getUint32(0, true);
      if (call.command === 11) {
        const next = ids.find((id) => id > asked);
        if (next === undefined) return 'ENOENT';
        call.attr.setUint32(4, next, true);
        return 0;
      }
      if (call.command === 13) return asked === 9 ? 'ENOENT' : 42;
      if (call.command === 31) return 'EPERM';
      return undefined;
    });
    const seen: number[] = [];
    for await (const id of objectIds(agent, 'program')) seen.push(id);
    t.same(seen, ids);
    t.equal(await openObject(agent, 'program', 4), 42);
    t.equal(await openObject(agent, 'program', 9), null);
    await t.rejects(objectIds(agent, 'link').next(), { code: 'object-ids-failed', fix: /CAP_SYS_ADMIN/ });
  });

  t.test('links and BTF objects say what they are', async (t) => {
    const tcx = new FakeAgent((call) => {
      answerInfo(call, 64, { 0: 11, 4: 3, 8: 77, 16: 2, 20: 46 });
      return 0;
    });
    t.same(await linkInfo(tcx, 5), {
      type: 11,
      id: 3,
      programId: 77,
      details: { kind: 'tcx', target: 2, attachType: 46 },
    });
    const btf = (length: number): FakeAgent =>
      new FakeAgent((call) => {
        answerInfo(call, length, { 8: 6, 12: 1, ...(length < 32 ? {} : { 24: 7, 28: 1 }) });
        return 0;
      });
    t.match(await btfInfo(btf(16), 5), { id: 1, name: null, kernel: null }, '5.10 knows neither');
    t.match(await btfInfo(btf(32), 5), { id: 1, kernel: true, name: '' });
    t.equal((await btfInfo(btf(32), 5)).bytes.length, 6);
  });
}
