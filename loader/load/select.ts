import { ObjectError } from '../errors.ts';
import { ARENA_SECTION } from '../object/data.ts';
import { refuseUnknownSection } from '../object/section-names.ts';
import type { MapSpec, ObjectContent, ProgramSpec } from '../object/spec.ts';
import { usersOf } from '../object/struct-ops.ts';

/** The parts of an object that are to be loaded. */
export interface Selection {
  readonly programs: readonly ProgramSpec[];
  readonly maps: readonly MapSpec[];
}

/**
 * Selects programs by name, or all that load by default; and all maps but those that are not to be created. What is refused here no kernel is asked for.
 * @throws ObjectError `no-such-program`; `unknown-program-section` for a program without a type; `arena-missing`
 */
export function select(spec: ObjectContent, names: readonly string[] | undefined): Selection {
  const maps = spec.maps.filter(({ autocreate }) => autocreate !== false);
  const programs = names === undefined ? selectDefault(spec) : selectByName(spec, names);
  const hasArena = maps.some(({ arenaData }) => arenaData !== undefined);
  for (const { name, section, type, references } of programs) {
    if (type === 'unspecified') throw refuseUnknownSection(section, { file: spec.name, symbol: name });
    if (!hasArena && references.some((one) => one.kind === 'data' && one.map === ARENA_SECTION)) {
      throw new ObjectError(
        'arena-missing',
        'the program uses global variables of an arena that is not there',
        { file: spec.name, section, symbol: name },
        {
          why: 'the object declares no map of type arena to hold them',
          fix: 'Declare one in SEC(".maps"), with room for them in max_entries (pages).',
        },
      );
    }
  }
  return { programs, maps: names === undefined ? maps : maps.filter((map) => isOfUse(map, names)) };
}

/** What implements a struct by programs that are not loaded is of no use to those that are. */
function isOfUse({ structOps }: MapSpec, names: readonly string[]): boolean {
  return structOps === undefined || structOps.members.some(({ program }) => names.includes(program));
}

/** Programs of struct_ops load with the maps that name them, whatever their own section says (bpf_object_adjust_struct_ops_autoload in libbpf's src/libbpf.c). */
function selectDefault(spec: ObjectContent): readonly ProgramSpec[] {
  return spec.programs.filter(({ name, autoload, type }) => {
    const users = type === 'struct_ops' ? usersOf(name, spec) : [];
    return users.length === 0 ? autoload : users.some(([map]) => map.autocreate !== false);
  });
}

function selectByName(spec: ObjectContent, names: readonly string[]): readonly ProgramSpec[] {
  return names.map((name) => {
    const program = spec.programs.find((one) => one.name === name);
    if (program !== undefined) return program;
    const why = `it has ${spec.programs.map((one) => one.name).join(', ')}`;
    throw new ObjectError('no-such-program', `there is no program ${name}`, { file: spec.name }, { why });
  });
}
