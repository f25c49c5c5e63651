import type { Test } from 'tap';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import type { AgentConnection } from '../../../loader/agent/connection.ts';
import { CAPABILITIES, type Capability } from '../../config/capabilities.ts';
import { initramfsPlace } from '../../guest/guest-place.ts';
import { pushFiles } from '../../guest/transfer.ts';
import { buildObserver } from '../../loaders/observer/build.ts';
import { type ObservedCredentials, observedCommand, parseRecord } from '../../loaders/observer/record.ts';

const BUSYBOX = '/bin/busybox';
const [OBSERVER, RECORD] = ['/run/observer-test', '/run/observer-test-record'];

/** What the observer makes of a command that only root can have made so, on a kernel in a machine; it may be any since 5.4. */
export async function testObserver(t: Test, agent: AgentConnection): Promise<void> {
  const observer = await buildObserver({ cache: cacheDirectory() });
  await pushFiles(initramfsPlace(agent), [{ kind: 'file', path: OBSERVER, source: observer }]);
  const observe = async (credentials: ObservedCredentials, ...command: [string, ...string[]]): Promise<string> => {
    const argv = observedCommand(OBSERVER, RECORD, credentials, [BUSYBOX, ...command]);
    const { exitCode, stdout, stderr } = await agent.execute({ argv });
    t.equal(Buffer.from(stderr).toString(), '');
    t.equal(exitCode, 0);
    t.ok(parseRecord(await agent.readFile(RECORD)).complete);
    return Buffer.from(stdout).toString();
  };
  const fields = async (credentials: ObservedCredentials): Promise<Record<string, string>> => {
    const status = await observe(credentials, 'cat', '/proc/self/status');
    return Object.fromEntries([...status.matchAll(/^(\w+):\t(.*)$/gm)].map(([, name, value]) => [name, value]));
  };
  const before = (await fields({})).CapEff ?? '';
  const all = BigInt(`0x${before}`);

  t.match(await fields({}), { Uid: '0\t0\t0\t0', CapPrm: before, CapEff: before, CapBnd: before, NoNewPrivs: '0' });
  // CAP_NET_ADMIN and CAP_SYS_ADMIN: kernels before 5.8 know neither CAP_BPF nor CAP_PERFMON.
  const wanted = (bit('CAP_NET_ADMIN') | bit('CAP_SYS_ADMIN') | bit('CAP_PERFMON') | bit('CAP_BPF')) & all;
  const set = wanted.toString(16).padStart(16, '0');
  t.match(
    await fields({ user: 65534, capabilities: wanted }),
    {
      Uid: '65534\t65534\t65534\t65534',
      ...{ CapInh: set, CapPrm: set, CapEff: set, CapBnd: set, CapAmb: set },
      NoNewPrivs: '0',
    },
    'another user has exactly these capabilities',
  );
  const rest = all & ~bit('CAP_SYS_ADMIN');
  const left = rest.toString(16).padStart(16, '0');
  t.match(await fields({ capabilities: rest }), { Uid: '0\t0\t0\t0', CapPrm: left, CapEff: left, CapBnd: left });
  const none = '0'.repeat(16);
  t.match(await fields({ user: 65534, capabilities: 0n }), { CapPrm: none, CapEff: none, CapBnd: none });
  t.match(await fields({ user: 65534 }), { Uid: '65534\t65534\t65534\t65534', CapEff: before, CapAmb: before });

  // kallsyms_show_value(), kernel/kallsyms.c: with kptr_restrict=1 addresses are shown to who has CAP_SYSLOG.
  const symbol = async (capabilities: bigint): Promise<string> =>
    observe({ capabilities }, 'grep', '-m1', ' _text$', '/proc/kallsyms');
  const sysctl = '/proc/sys/kernel/kptr_restrict';
  const old = Buffer.from(await agent.readFile(sysctl))
    .toString()
    .trim();
  const setTo = (value: string) => agent.execute({ argv: [BUSYBOX, 'sh', '-c', `echo ${value} > ${sysctl}`] });
  await setTo('1');
  t.match(await symbol(all), /^ffffffff[0-9a-f]{8} T _text\n$/);
  t.match(await symbol(all & ~bit('CAP_SYSLOG')), /^0{16} T _text\n$/);
  await setTo(old);
  await agent.execute({ argv: [BUSYBOX, 'rm', OBSERVER, RECORD] });
}

function bit(name: Capability): bigint {
  return 1n << BigInt(CAPABILITIES.indexOf(name));
}
