import { ConfigError } from '../config/yaml-file.ts';
import { paintFor } from '../report/paint.ts';
import { renderTable } from '../report/table.ts';
import { Durations } from '../run/durations.ts';
import { selectLoaders, selectPrograms } from '../run/select.ts';
import { EXIT } from './exit-codes.ts';
import { type StoreOptions, withStore } from './open-store.ts';
import { plannedKernels, planShards, type ShardPlan } from './shards.ts';

/** Options of `plan`. */
export interface PlanOptions extends StoreOptions {
  readonly shards: number;
  readonly kernel?: readonly string[];
  readonly program?: readonly string[];
  readonly loader?: readonly string[];
  readonly json?: true;
  readonly github?: true;
}

/** Jobs that a matrix may make in a run of a workflow (GitHub's documentation, "Actions limits": job matrix). */
const MOST_JOBS = 256;

/** `ksym-matrix plan`: kernels of the matrix divided among shards. */
export async function plan(options: PlanOptions): Promise<number> {
  const { kernel = [], program = [], loader = [] } = options;
  if (options.github === true && options.shards > MOST_JOBS) {
    throw new ConfigError('too-many-shards', `a workflow's matrix makes ${MOST_JOBS} jobs at most`, {
      where: `--shards ${options.shards}`,
      fix: `ask for ${MOST_JOBS} shards or fewer`,
    });
  }
  return withStore(options, async ({ store, cache, matrix }) => {
    if (matrix === undefined) throw new ConfigError('no-matrix', 'there is no matrix to divide');
    const filters = { kernels: kernel, programs: program, loaders: loader };
    const programs = selectPrograms(matrix, filters);
    const chosen = { ...matrix, loaders: selectLoaders(matrix, filters) };
    const kernels = await plannedKernels(chosen, programs, kernel, store, await Durations.read(cache));
    const shards = planShards(kernels, options.shards);
    process.stdout.write(
      options.github === true ? forGithub(shards) : options.json === true ? asJson(shards) : forPeople(shards),
    );
    return EXIT.ok;
  });
}

/** Names of kernels have no spaces (config/schema.ts, kernels/request.ts), so words are enough for `run --kernel`. */
function forGithub(shards: readonly ShardPlan[]): string {
  const include = shards.map(({ shard, shards: count, kernels, cells }) => {
    return { shard, shards: count, kernels: kernels.join(' '), cells };
  });
  return `${JSON.stringify({ include })}\n`;
}

function asJson(shards: readonly ShardPlan[]): string {
  return `${JSON.stringify({ shards }, null, 2)}\n`;
}

function forPeople(shards: readonly ShardPlan[]): string {
  const rows = shards.map(({ shard, kernels, cells, expectedMs }) => [
    String(shard),
    String(cells),
    `${Math.round(expectedMs / 1000)} s`,
    kernels.join(' '),
  ]);
  const [head = '', ...lines] = renderTable(COLUMNS, rows);
  return `${[paintFor(process.stdout).strong(head), ...lines].join('\n')}\n`;
}

const COLUMNS = [
  { title: 'shard', align: 'right' },
  { title: 'cells', align: 'right' },
  { title: 'about', align: 'right' },
  { title: 'kernels' },
] as const;
