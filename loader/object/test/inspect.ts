import type { Test } from 'tap';
import { run } from '../../elf/test/compile.ts';
import { formatInstruction } from '../../insn/format.ts';
import { isCall, isLoadImm64, readInstruction, slotCount } from '../../insn/instruction.ts';
import type { ObjectContent, ProgramSpec } from '../spec.ts';

/** The program of that name. */
export function find(spec: ObjectContent, name: string): ProgramSpec {
  const program = spec.programs.find((one) => one.name === name);
  if (program === undefined) throw new TypeError(`no program ${name}`);
  return program;
}

/** Checks that each call leads to a function that its source line names; returns how many there were. */
export function checkCalls(t: Test, program: ProgramSpec): number {
  let calls = 0;
  for (let slot = 0; slot < slotCount(program.code); slot++) {
    const instruction = readInstruction(program.code, slot);
    const call = isCall(instruction) && instruction.src === 1;
    const address = isLoadImm64(instruction) && instruction.src === 4;
    if (call || address) {
      calls++;
      const callee = program.functions.find((one) => one.slot === slot + 1 + instruction.imm);
      const { source } = program.lines.findLast((line) => line.slot <= slot) ?? { source: '' };
      t.match(
        source,
        callee?.name ?? 'a function',
        `${program.name} ${slot}: ${formatInstruction(program.code, slot)}`,
      );
    }
    if (isLoadImm64(instruction)) slot++;
  }
  return calls;
}

/** The disassembly, without slots. */
export function listing(program: ProgramSpec, byteOrder: 'little' | 'big'): string[] {
  const lines: string[] = [];
  for (let slot = 0; slot < slotCount(program.code); slot++) {
    lines.push(formatInstruction(program.code, slot, byteOrder));
    if (isLoadImm64(readInstruction(program.code, slot, byteOrder))) slot++;
  }
  return lines;
}

/** The initial value of an int in a data section. */
export function readInt(spec: ObjectContent, name: string): number | undefined {
  const variable = spec.variables.find((one) => one.name === name);
  const data = spec.maps.find((map) => map.name === variable?.map)?.data;
  if (variable === undefined || data === null || data === undefined) return undefined;
  return new DataView(data.buffer, data.byteOffset).getInt32(variable.offset, true);
}

/** Name, offset and size of all objects in some sections, as readelf prints them. */
export function readelfObjects(path: string, sections: readonly string[]): string[] {
  const indices = new Set<string>();
  for (const line of run('readelf', ['-SW', path]).split('\n')) {
    const match = /^\s*\[\s*(\d+)\]\s+(\S+)/.exec(line);
    if (match?.[1] !== undefined && sections.includes(match[2] ?? '')) indices.add(match[1]);
  }
  return run('readelf', ['-sW', path])
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === 'OBJECT' && indices.has(fields[6] ?? ''))
    .map((fields) => `${fields[7]} ${Number.parseInt(fields[1] ?? '', 16)} ${Number(fields[2])}`)
    .sort();
}
