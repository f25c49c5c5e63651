import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startSshAgent } from '../ssh.ts';
import { commandLines } from './processes.ts';

/** Tests against a stand-in for the ssh program, which runs the command on this machine: what crosses the connection is the same. */
export function testSsh(binary: string): void {
  t.test('an agent is sent over ssh, runs, and leaves nothing behind', async (t) => {
    const folder = t.testdir({ "the folder's": {} });
    const program = await standIn(folder, 'echo "$@" | head -c 60 > "$(dirname "$0")/seen"');
    const target = join(folder, "the folder's");
    const options = { program, folder: target, arguments: ['-p', '2222'], findAgent: async () => binary };
    const agent = await startSshAgent('user@host', options);
    t.match(
      await readSeen(folder),
      /^-T -p 2222 -- user@host /,
      'options come before the destination, and cannot be it',
    );
    t.same(await readdir(target), [], 'the binary is removed as soon as it runs');
    const { stdout, exitCode } = await agent.execute({ argv: ['/bin/echo', 'over there'] });
    t.same([Buffer.from(stdout).toString(), exitCode], ['over there\n', 0]);
    await agent.close();
    t.notOk(
      commandLines().some((line) => line.includes(target)),
      'no process is left',
    );
  });

  t.test('an agent is sent to a shell whose tools read ahead', async (t) => {
    // A `head` as BusyBox has it, which reads 4 KiB at a time and drops what it was not asked for.
    const folder = t.testdir({ head: '#!/bin/sh\nexec dd bs=4096 iflag=fullblock count=4 2> /dev/null\n' });
    await chmod(join(folder, 'head'), 0o755);
    const program = await standIn(folder, 'PATH="$(dirname "$0"):$PATH"; export PATH');
    const agent = await startSshAgent('x', { program, folder, findAgent: async () => binary, timeoutMs: 5000 });
    await agent.close();
  });

  t.test('what stops an agent on another machine is told in its own words', async (t) => {
    const folder = t.testdir();
    const findAgent = async () => binary;
    const unreachable = await standIn(folder, 'echo "ssh: connect to host x: Connection refused" >&2; exit 255');
    const lost = { code: 'agent-lost', why: /status 255: ssh: connect to host x: Connection refused/ };
    await t.rejects(startSshAgent('x', { program: unreachable, findAgent }), lost);
    const working = await standIn(folder, '');
    const nowhere = startSshAgent('x', { program: working, findAgent, folder: join(folder, 'missing') });
    await t.rejects(nowhere, { code: 'agent-lost', why: /missing\/ksym-agent-/ });
    await t.rejects(startSshAgent('x', { program: join(folder, 'no-ssh') }), { code: 'agent-lost', why: /ENOENT/ });
    await t.rejects(startSshAgent('-oProxyCommand=id'), { code: 'ssh-destination' });
    const other = await standIn(folder, 'echo riscv128; sleep 1; exit 0');
    await t.rejects(startSshAgent('x', { program: other }), { code: 'agent-architecture', message: /riscv128/ });
    const silent = await standIn(folder, 'exec sleep 5');
    await t.rejects(startSshAgent('x', { program: silent, timeoutMs: 100 }), { code: 'agent-timeout' });
    const endless = await standIn(folder, 'exec yes | tr -d "\\n"');
    await t.rejects(startSshAgent('x', { program: endless }), { code: 'agent-lost', why: /it answers "yyyy/ });
  });
}

/** An ssh that does `first` and then runs its last argument in a shell. */
async function standIn(folder: string, first: string): Promise<string> {
  const path = join(folder, `ssh-${(await readdir(folder)).length}`);
  await writeFile(path, `#!/bin/sh\n${first}\nfor command; do :; done\nexec /bin/sh -c "$command"\n`);
  await chmod(path, 0o755);
  return path;
}

async function readSeen(folder: string): Promise<string> {
  return readFile(join(folder, 'seen'), 'utf8');
}
