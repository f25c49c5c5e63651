import { ObjectError } from '../errors.ts';
import { ARENA_SECTION } from '../object/data.ts';
import { mapTypeNumber } from '../object/map-types.ts';
import { refuseUnknownSection } from '../object/section-names.ts';
import type { MapSpec, ObjectContent, ProgramSpec } from '../object/spec.ts';
import { refuseStructOps } from '../object/struct-ops.ts';

/** The parts of an object that are to be loaded. */
export interface Selection {
  readonly programs: readonly ProgramSpec[];
  readonly maps: readonly MapSpec[];
}

/**
 * Selects programs by name, or all that load by default; and all maps but those that are not to be created. What is refused here no kernel is asked for.
 * @throws ObjectError `no-such-program`; `unknown-program-section` for a program without a type; `struct-ops-unsupported`; `arena-data-unsupported`
 */
export function select(spec: ObjectContent, names: readonly string[] | undefined): Selection {
  const maps = spec.maps.filter(({ autocreate }) => autocreate !== false);
  const structOps = maps.find(isStructOps);
  const programs = names === undefined ? selectDefault(spec, structOps !== undefined) : selectByName(spec, names);
  for (const { name, section, type, references } of programs) {
    if (type === 'unspecified') throw refuseUnknownSection(section, { file: spec.name, symbol: name });
    if (type === 'struct_ops') throw refuseStructOps({ file: spec.name, section, symbol: name });
    if (references.some((one) => one.kind === 'data' && one.map === ARENA_SECTION)) {
      throw new ObjectError(
        'arena-data-unsupported',
        'the program uses global variables of an arena',
        { file: spec.name, section, symbol: name },
        {
          why: 'this loader creates arenas, but fills in none of their variables',
          fix: 'Allocate them with bpf_arena_alloc_pages().',
        },
      );
    }
  }
  if (structOps !== undefined && names === undefined)
    throw refuseStructOps({ file: spec.name, symbol: structOps.name });
  return { programs, maps: maps.filter((map) => !isStructOps(map)) };
}

/** Programs of struct_ops load only with a map that has them (bpf_object_adjust_struct_ops_autoload in libbpf's src/libbpf.c). */
function selectDefault(spec: ObjectContent, structOps: boolean): readonly ProgramSpec[] {
  return spec.programs.filter(({ autoload, type }) => autoload && (structOps || type !== 'struct_ops'));
}

function selectByName(spec: ObjectContent, names: readonly string[]): readonly ProgramSpec[] {
  return names.map((name) => {
    const program = spec.programs.find((one) => one.name === name);
    if (program !== undefined) return program;
    const why = `it has ${spec.programs.map((one) => one.name).join(', ')}`;
    throw new ObjectError('no-such-program', `there is no program ${name}`, { file: spec.name }, { why });
  });
}

function isStructOps({ type }: MapSpec): boolean {
  return type === mapTypeNumber('struct_ops');
}
