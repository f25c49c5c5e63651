import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Debian keeps bpftool in a folder that only root's PATH has. */
const environment = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };

/** Compiles C for BPF with the installed clang and gives the object's path and bytes. */
export function compileBpf(
  folder: string,
  name: string,
  source: string,
  options: { readonly target?: 'bpfel' | 'bpfeb'; readonly flags?: readonly string[] } = {},
): { path: string; bytes: Uint8Array } {
  const { target = 'bpfel', flags = ['-g', '-O2'] } = options;
  const input = join(folder, `${name}.c`);
  const path = join(folder, `${name}-${target}.o`);
  writeFileSync(input, source);
  execFileSync('clang', ['-target', target, ...flags, '-c', input, '-o', path], { env: environment });
  // Not a Buffer: its `slice` would share memory with the original.
  return { path, bytes: new Uint8Array(readFileSync(path)) };
}

/** Runs a tool that serves as an oracle and gives what it printed. */
export function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { env: environment, encoding: 'utf8', maxBuffer: 1 << 26 });
}

/** Numbers from 0 to below `limit`, the same on every run (mulberry32). */
export function seededRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

/** A damaged copy: cut off, or with a few bytes or words overwritten, extreme values preferred. */
export function mutate(bytes: Uint8Array, random: (limit: number) => number): Uint8Array {
  const copy = bytes.slice(0, random(8) === 0 ? random(bytes.length) : bytes.length);
  const view = new DataView(copy.buffer);
  const words = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xffff, bytes.length];
  for (let count = 1 + random(4); count > 0 && copy.length >= 4; count -= 1) {
    if (random(2) === 0) {
      copy[random(copy.length)] = random(256);
    } else {
      view.setUint32(random(copy.length - 3), words[random(words.length)] ?? 0, random(2) === 0);
    }
  }
  return copy;
}
