import { once } from 'node:events';
import { join } from 'node:path';
import { connectUnix, QmpClient } from '../qmp.ts';
import { commandLine } from './host.ts';

/**
 * Overwrites code of a running guest kernel, through the debugger stub that QEMU has built in: no kernel here has a module that
 * would make it fail on request (LKDTM), so this is how a test gets a real oops.
 * The protocol is GDB's remote serial protocol: `$M<address>,<length>:<bytes in hex>#<sum>` writes memory, `$D#44` lets go.
 */
export async function patchKernel(qemuPid: number, address: bigint, code: Uint8Array): Promise<void> {
  const qmpPath = /unix:(\S+\/qmp),server=on/.exec(commandLine(qemuPid))?.[1];
  if (qmpPath === undefined) throw new Error(`process ${qemuPid} is no QEMU with a control socket`);
  const stub = join(qmpPath, '../gdb');
  const qmp = await QmpClient.connect(qmpPath);
  await qmp.execute('human-monitor-command', { 'command-line': `gdbserver unix:${stub},server=on,wait=off` });
  qmp.close();
  const socket = await connectUnix(stub);
  const command = async (text: string): Promise<string> => {
    const sum = [...text].reduce((total, character) => total + character.charCodeAt(0), 0) % 256;
    socket.write(`+$${text}#${sum.toString(16).padStart(2, '0')}`);
    let answer = '';
    // That the machine stopped is told in between, as $T02thread:01;#04.
    while (!/\$(OK|E\d\d)?#../.test(answer)) answer += String((await once(socket, 'data'))[0]);
    return answer;
  };
  const hex = Buffer.from(code).toString('hex');
  const written = await command(`M${address.toString(16)},${code.length.toString(16)}:${hex}`);
  if (!written.includes('$OK')) throw new Error(`QEMU did not write the guest's memory: ${written}`);
  await command('D');
  socket.destroy();
}
