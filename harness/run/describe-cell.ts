import { readFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import type { ExternResolution } from '../../loader/resolve/outcome.ts';
import type { CellResult, ExternResult, ProgramResult } from '../results/results.ts';
import type { CompiledProgram } from './compile.ts';
import { plain } from './loader-words.ts';
import type { Attempt } from './run-stint.ts';

/** Lines of the console that are part of the results: all of them are in the file beside them. */
const CONSOLE_LINES = 200;
/** Lines of what another loader than ours printed, and characters of each, that are part of the results. */
const [LOADER_LINES, LOADER_CHARACTERS] = [100, 500];
/** Characters among which these lines are looked for. */
const LOADER_LOOKED_AT = 1 << 20;

/** What a person needs to see of a cell, bounded, so that the results are enough for a report wherever they go. */
export function describeEvidence({
  outcome,
  consoleLines,
}: Attempt): Pick<CellResult, 'externs' | 'values' | 'verifierLog' | 'console' | 'loaderOutput'> {
  const { printed } = outcome;
  return {
    ...(printed === undefined ? {} : { loaderOutput: lastLines(printed.log) }),
    externs: [...(outcome.externs ?? outcome.resolutions.map(describeExtern))],
    values: outcome.values ?? [],
    verifierLog: outcome.verifierLog === undefined ? null : shortenLog(outcome.verifierLog),
    console: copyLines(consoleLines.slice(-CONSOLE_LINES)),
  };
}

function lastLines(log: string): string[] {
  const lines = plain(log.trimEnd().slice(-LOADER_LOOKED_AT)).split('\n').slice(-LOADER_LINES);
  return copyLines(lines.map((line) => line.slice(0, LOADER_CHARACTERS))).filter((line, at) => line !== '' || at > 0);
}

/** Lines as text of their own: V8 makes a line a view of the text that it was cut from, and would keep all of that. */
function copyLines(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : Buffer.from(lines.join('\n')).toString().split('\n');
}

/** A program as the results tell it. A source that went away meanwhile has no text. */
export async function describeProgram(
  { program, warnings, sha256 }: CompiledProgram,
  root: string,
): Promise<ProgramResult> {
  return {
    name: program.name,
    title: program.title,
    about: program.about ?? null,
    source: toPosix(relative(root, program.source)),
    text: await readFile(program.source, 'utf8').catch(() => ''),
    needs: program.needs ?? [],
    ...(program.shows === undefined ? {} : { shows: program.shows }),
    objectSha256: sha256 ?? null,
    compilerWarnings: warnings,
  };
}

/** A path with slashes, whatever the system. */
export function toPosix(path: string): string {
  return path.split(sep).join('/');
}

function describeExtern({ name, kind, weak, outcome }: ExternResolution): ExternResult {
  const head = { name, kind, weak, result: outcome.result };
  switch (outcome.result) {
    case 'address':
      return { ...head, address: toHex(outcome.address) };
    case 'btf-id': {
      const { id, module, type, declaration } = outcome;
      return { ...head, btfId: id, ...(module === null ? {} : { module }), type, declaration };
    }
    case 'null':
      return { ...head, reason: outcome.reason, explanation: `${outcome.explanation} ${outcome.fix}` };
    case 'error': {
      const { reason, addresses } = outcome;
      const explanation = `${outcome.explanation} ${outcome.fix}`;
      return { ...head, reason, explanation, ...(addresses === undefined ? {} : { addresses: addresses.map(toHex) }) };
    }
  }
}

function toHex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** Characters of a verifier log that are part of the results; beyond that its beginning and its end, which has the refusal. */
const LOG_CHARACTERS = 64 * 1024;

function shortenLog(log: string): string {
  if (log.length <= LOG_CHARACTERS) return log;
  const lines = log.split('\n');
  const head = takeLines(lines, LOG_CHARACTERS / 4);
  const tail = takeLines([...lines].reverse(), (LOG_CHARACTERS * 3) / 4).reverse();
  const left = lines.length - head.length - tail.length;
  return [...head, `... ${left} lines are left out here ...`, ...tail].join('\n');
}

function takeLines(lines: readonly string[], characters: number): string[] {
  let room = characters;
  const end = lines.findIndex((line) => {
    room -= line.length + 1;
    return room < 0;
  });
  return lines.slice(0, end === -1 ? lines.length : end);
}
