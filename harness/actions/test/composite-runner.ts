import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Contexts, condition, interpolate } from './expression.ts';
import { readWorkflowCommands, type WorkflowCommand } from './workflow-commands.ts';

/** What `github.token` is in the tests: no output, file or command line may have it. */
export const TOKEN = 'a-token-that-nobody-may-see';

/** A composite action, as far as it is run here. */
export interface CompositeAction {
  readonly inputs?: Readonly<Record<string, { readonly description: string; readonly default?: string }>>;
  readonly outputs?: Readonly<Record<string, { readonly description: string; readonly value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}

interface Step {
  readonly id?: string;
  readonly name: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly 'working-directory'?: string;
  readonly 'continue-on-error'?: boolean;
}

/** What another action, such as actions/cache, would have done. */
export type StandIn = (
  action: string,
  inputs: Readonly<Record<string, string>>,
) => { readonly outputs?: Readonly<Record<string, string>>; readonly fails?: true };

export interface JobOptions {
  /** Folder of the action: GITHUB_ACTION_PATH, with action.yml in it. */
  readonly action: string;
  readonly workspace: string;
  /** RUNNER_TEMP. */
  readonly temporary: string;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly github: Contexts & { readonly event_name: string; readonly event: unknown };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uses: StandIn;
}

/** What became of the steps. */
export interface JobEnd {
  readonly failed: boolean;
  readonly outputs: Readonly<Record<string, string>>;
  readonly steps: readonly {
    readonly name: string;
    readonly outcome: 'success' | 'failure' | 'skipped';
    readonly log: string;
    readonly summary: string;
    readonly commands: readonly WorkflowCommand[];
    readonly uses?: string;
    readonly with?: Readonly<Record<string, string>>;
  }[];
}

/**
 * Runs a composite action as a runner does ("Metadata syntax for GitHub Actions"): every `run` step in bash with files for outputs, environment and
 * summary, every `uses` step by a stand-in.
 */
export function runComposite(options: JobOptions): JobEnd {
  const action = parse(readFileSync(join(options.action, 'action.yml'), 'utf8')) as CompositeAction;
  const steps: Record<string, { outputs: Record<string, string>; outcome: string }> = {};
  const contexts: Contexts = {
    github: { ...options.github, token: TOKEN },
    runner: { temp: options.temporary },
    steps,
  };
  const status = { failed: false };
  const inputs = Object.fromEntries(
    Object.entries(action.inputs ?? {}).map(([name, { default: value }]) => [
      name,
      options.inputs?.[name] ?? interpolate(value ?? '', contexts, status),
    ]),
  );
  const unknown = Object.keys(options.inputs ?? {}).filter((name) => !(name in inputs));
  if (unknown.length > 0) throw new Error(`the action has no input ${unknown.join(', ')}`);
  const all = { ...contexts, inputs };
  const ends = action.runs.steps.map((step, index) => {
    if (!condition(step.if, all, status)) {
      if (step.id !== undefined) steps[step.id] = { outputs: {}, outcome: 'skipped' };
      return { name: step.name, outcome: 'skipped', log: '', summary: '', commands: [] } as const;
    }
    const fill = (values: Readonly<Record<string, unknown>> = {}): Record<string, string> =>
      Object.fromEntries(Object.entries(values).map(([key, text]) => [key, interpolate(String(text), all, status)]));
    const end = step.uses === undefined ? runShell(step, index, fill, options) : useStandIn(step.uses, fill(step.with));
    if (step.id !== undefined) steps[step.id] = { outputs: end.outputs, outcome: end.outcome };
    if (end.outcome === 'failure' && step['continue-on-error'] !== true) status.failed = true;
    return { name: step.name, ...end };
  });
  const outputs = Object.entries(action.outputs ?? {}).map(([name, { value }]) => [
    name,
    interpolate(value, all, status),
  ]);
  return { failed: status.failed, steps: ends, outputs: Object.fromEntries(outputs) };

  function useStandIn(uses: string, values: Record<string, string>) {
    const end = options.uses(uses.replace(/@.*/, ''), values);
    return {
      outcome: end.fails === true ? ('failure' as const) : ('success' as const),
      outputs: { ...end.outputs },
      log: '',
      summary: '',
      commands: [],
      uses,
      with: values,
    };
  }
}

function runShell(
  step: Step,
  index: number,
  fill: (values?: Readonly<Record<string, unknown>>) => Record<string, string>,
  { action, workspace, temporary, github, environment }: JobOptions,
) {
  const files = join(temporary, `_runner-${index}`);
  mkdirSync(files, { recursive: true });
  const file = (name: string, text = ''): string => {
    writeFileSync(join(files, name), text);
    return join(files, name);
  };
  const [script, output, summary] = [file('step.sh', step.run), file('output'), file('summary')];
  const { folder = '.' } = fill({ folder: step['working-directory'] ?? '.' });
  const child = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
    cwd: join(workspace, folder),
    encoding: 'utf8',
    env: {
      ...environment,
      RUNNER_TEMP: temporary,
      RUNNER_OS: 'Linux',
      RUNNER_ARCH: 'X64',
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: workspace,
      GITHUB_ACTION_PATH: action,
      GITHUB_EVENT_NAME: github.event_name,
      GITHUB_EVENT_PATH: file('event.json', JSON.stringify(github.event)),
      GITHUB_REF: String(github.ref),
      GITHUB_REPOSITORY: String(github.repository),
      GITHUB_RUN_ID: '4711',
      GITHUB_RUN_ATTEMPT: environment.GITHUB_RUN_ATTEMPT ?? '1',
      GITHUB_OUTPUT: output,
      GITHUB_ENV: file('env'),
      GITHUB_PATH: file('path'),
      GITHUB_STEP_SUMMARY: summary,
      ...fill(step.env),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = `${child.stdout}${child.stderr}`;
  return {
    outcome: child.status === 0 ? ('success' as const) : ('failure' as const),
    outputs: readOutputs(readFileSync(output, 'utf8')),
    log,
    summary: readFileSync(summary, 'utf8'),
    commands: readWorkflowCommands(child.stdout),
  };
}

function readOutputs(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => {
      const match = /^([A-Za-z_][\w-]*)=(.*)$/.exec(line);
      if (match === null) throw new Error(`no output: ${line}`);
      return [match[1], match[2]];
    }),
  );
}
