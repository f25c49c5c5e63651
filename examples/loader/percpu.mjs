// Reads a typed per-CPU variable of the kernel on every CPU:
//   clang -target bpf -O2 -g -c percpu.bpf.c && sudo node percpu.mjs percpu.bpf.o
// (On Debian and Ubuntu clang also wants -I/usr/include/$(uname -m)-linux-gnu.)
import { fileURLToPath } from 'node:url';
import { ExplainedError, Kernel, ObjectSpec } from 'ksym-matrix/loader';

export async function main(kernel, path) {
  const object = await kernel.load(await ObjectSpec.open(path));
  for (const { name, outcome } of object.resolutions) {
    if (outcome.result === 'btf-id') console.log(`${name} is a ${outcome.type} with BTF id ${outcome.id}`);
  }

  await object.program('read_run_queues').testRun();
  const cpus = await object.variable('cpus').get();
  const running = await object.variable('running').get();
  for (let cpu = 0; cpu < cpus; cpu++) console.log(`CPU ${cpu}: ${running[cpu]} ready to run`);
  await object.close();
}

// Started as a program, not imported: on this machine's kernel.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const kernel = await Kernel.local();
  try {
    await main(kernel, process.argv[2]);
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    console.error(error.explain());
    process.exitCode = 1;
  } finally {
    await kernel.close();
  }
}
