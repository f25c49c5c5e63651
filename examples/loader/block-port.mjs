// An XDP program is set up, tried with packets that nobody sent, and its counts are read:
//   clang -target bpf -O2 -g -c block-port.bpf.c && sudo node block-port.mjs block-port.bpf.o 53
// (On Debian and Ubuntu clang also wants -I/usr/include/$(uname -m)-linux-gnu.)
import { fileURLToPath } from 'node:url';
import { ExplainedError, Kernel, ObjectSpec } from 'ksym-matrix/loader';

const ACTIONS = ['aborted', 'drop', 'pass'];

export async function main(kernel, path, blocked = 53) {
  const spec = await ObjectSpec.open(path);
  // A constant for the verifier: it is set before the program is loaded.
  spec.variable('blocked').set(blocked);
  spec.map('packets').maxEntries = 16;

  const object = await kernel.load(spec);
  const program = object.program('block_port');
  for (const port of [53, 80, 53]) {
    const { retval } = await program.testRun({ data: udpPacket(port) });
    console.log(`a packet to port ${port}: ${ACTIONS[retval]}`);
  }
  for await (const [port, count] of object.map('packets').typedEntries()) console.log(`port ${port}: ${count} packets`);

  // For real packets: const link = await program.attach({ interface: 'lo' });
  await object.close();
}

/** Ethernet, IPv4 and UDP headers with nothing behind them. */
function udpPacket(port) {
  const packet = new DataView(new ArrayBuffer(64));
  packet.setUint16(12, 0x0800);
  packet.setUint8(14, 0x45);
  packet.setUint8(23, 17);
  packet.setUint16(36, port);
  return new Uint8Array(packet.buffer);
}

// Started as a program, not imported: on this machine's kernel.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kernel = await Kernel.local();
  try {
    await main(kernel, process.argv[2], Number(process.argv[3] ?? 53));
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    console.error(error.explain());
    process.exitCode = 1;
  } finally {
    await kernel.close();
  }
}
