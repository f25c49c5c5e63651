// Prints every program that is started, for a while:
//   clang -target bpf -O2 -g -c exec-events.bpf.c && sudo node exec-events.mjs exec-events.bpf.o 10
// (On Debian and Ubuntu clang also wants -I/usr/include/$(uname -m)-linux-gnu.)
import { fileURLToPath } from 'node:url';
import { decodeValue, ExplainedError, Kernel, ObjectSpec, RingBuffer } from 'ksym-matrix/loader';

export async function main(kernel, path, seconds = 5) {
  const spec = await ObjectSpec.open(path);
  const object = await kernel.load(spec);
  const link = await object.program('on_exec').attach();
  const events = await RingBuffer.open(object.map('events'));
  const end = setTimeout(() => events.close(), seconds * 1000);

  // Something to see, on the kernel's machine.
  await kernel.agent.execute({ argv: ['/bin/sh', '-c', 'exec sleep 0'] });
  // The record's layout is in the object, which was compiled with -g.
  const type = spec.btf.find('event', 'struct');
  for await (const record of events) {
    const { pid, name } = decodeValue(spec.btf, type.id, record);
    console.log(`${pid} ${name}`);
  }

  clearTimeout(end);
  await link.close();
  await object.close();
}

// Started as a program, not imported: on this machine's kernel.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kernel = await Kernel.local();
  try {
    await main(kernel, process.argv[2], Number(process.argv[3] ?? 5));
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    console.error(error.explain());
    process.exitCode = 1;
  } finally {
    await kernel.close();
  }
}
