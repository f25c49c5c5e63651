import t from 'tap';
import type { ExecuteRequest } from '../../../loader/agent/connection.ts';
import { FakeAgent } from '../../../loader/syscall/test/fake-agent.ts';
import { initramfsPlace } from '../../guest/guest-place.ts';
import { GuestLoaders } from '../../loaders/guest-loaders.ts';
import type { LoaderProgram } from '../../loaders/prepared-loader.ts';
import { runLoader } from '../../loaders/run-loader.ts';

t.test('a loader that takes everything away harms no other: it is all put there again', async (t) => {
  const started: string[] = [];
  const agent = Object.assign(new FakeAgent(), {
    execute: async ({ argv }: ExecuteRequest) => {
      started.push(argv.includes('cpio') ? 'push' : argv.slice(-1).join());
      const nothing = { stdout: new Uint8Array(), stderr: new Uint8Array() };
      return { exitCode: 0, signal: null, timedOut: false, ...nothing };
    },
  });
  const folder = t.testdir({ observer: 'its bytes' });
  const guest = new GuestLoaders(initramfsPlace(agent), `${folder}/observer`);
  const program = (name: string): LoaderProgram => ({
    files: [{ kind: 'file', path: `/${name}`, source: `${folder}/observer` }],
    argv: () => [`/${name}`],
    speaks: 'exit-code',
    classify: () => null,
  });
  const job = { object: new Uint8Array(), runs: [], credentials: {}, timeoutMs: 1000 };
  const [one, other] = [program('one'), program('other')];
  // A record that ends at once: a head alone.
  agent.files = { ...agent.files, '/run/ksym-matrix/record': Buffer.from('KSOS\x01\0\0\0', 'latin1') };
  for (const each of [one, other, one]) t.equal((await runLoader(guest, each, job)).exitCode, 0);
  t.same(started.splice(0), ['push', 'push', '/one', 'push', '/other', '/one'], 'each is brought once');
  agent.files = {};
  t.equal((await runLoader(guest, one, job)).observation, null);
  t.same(started.splice(0), ['/one']);
  await runLoader(guest, other, job);
  t.same(started, ['push', 'push', '/other']);
});

t.test('a loader that does not fit into the guest is told with what a matrix can do about it', async (t) => {
  const agent = Object.assign(new FakeAgent(), {
    execute: async () => ({
      ...{ exitCode: 1, signal: null, timedOut: false, stdout: new Uint8Array() },
      stderr: Buffer.from('cpio: write error: No space left on device\n'),
    }),
  });
  const guest = new GuestLoaders(initramfsPlace(agent), process.execPath);
  await t.rejects(guest.bring({ files: [], argv: () => ['/x'], speaks: 'either', classify: () => null }, '/x'), {
    code: 'guest-write-failed',
    why: 'write error: No space left on device',
    fix: /`machine: \{memory: …\}`$/,
  });
});
