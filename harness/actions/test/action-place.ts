import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { type JobEnd, type JobOptions, runComposite, type StandIn } from './composite-runner.ts';

/** A call of another action. */
export interface Used {
  readonly action: string;
  readonly inputs: Readonly<Record<string, string>>;
}

/** A job: what surrounds a use of the action. */
export interface Job {
  readonly inputs?: Readonly<Record<string, string>>;
  readonly github?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** In place of the one that finds nothing in any cache. */
  readonly uses?: StandIn;
}

/** Another folder of the runner, with the action as it would be unpacked there. */
export interface ActionPlace {
  readonly workspace: string;
  readonly temporary: string;
  readonly action: string;
  /** Runs action.yml, or that of a folder below, and tells which other actions were used. */
  readonly run: (job: Job, folder?: string) => JobEnd & { readonly used: readonly Used[] };
  readonly end: () => void;
}

/** A push to the default branch. */
export const PUSH = {
  event_name: 'push',
  ref: 'refs/heads/main',
  repository: 'owner/project',
  event: { repository: { default_branch: 'main' } },
};

/** A pull request from a branch of the repository, or from a fork of it. */
export function pullRequest(from = 'owner/project') {
  const [owner = '', name = ''] = from.split('/');
  return {
    event_name: 'pull_request',
    ref: 'refs/pull/7/merge',
    repository: 'owner/project',
    event: {
      action: 'synchronize',
      number: 7,
      repository: { id: 1, name: 'project', owner: { login: 'owner' }, default_branch: 'main' },
      pull_request: {
        number: 7,
        user: { login: 'somebody' },
        head: {
          sha: 'a'.repeat(40),
          ref: 'topic',
          repo: { id: from === 'owner/project' ? 1 : 2, name, full_name: from, owner: { login: owner } },
        },
        base: { repo: { id: 1 } },
      },
    },
  };
}

/** @param launch the text of what stands for harness/launch.mjs there */
export function createActionPlace(launch: string): ActionPlace {
  const folder = mkdtempSync(join(tmpdir(), 'ksym-action-'));
  const [action, workspace, home, programs] = (['action', 'workspace', 'home', 'bin'] as const).map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  for (const path of [workspace, home, programs]) mkdirSync(path);
  // No test changes this machine.
  writeFileSync(join(programs, 'sudo'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const copy = (path: string): void => cpSync(join(PACKAGE_ROOT, path), join(action, path), { recursive: true });
  for (const path of ['action.yml', 'actions', 'package-lock.json']) copy(path);
  cpSync(join(PACKAGE_ROOT, 'harness', 'actions'), join(action, 'harness', 'actions'), {
    recursive: true,
    filter: (path) => !path.endsWith('/test'),
  });
  writeFileSync(join(action, 'harness', 'launch.mjs'), launch);
  let jobs = 0;
  return {
    workspace,
    action,
    temporary: folder,
    end: () => rmSync(folder, { recursive: true, force: true }),
    run: ({ inputs = {}, github = {}, environment = {}, uses = () => ({}) }, below = '.') => {
      const temporary = join(folder, `temp-${jobs++}`);
      mkdirSync(temporary);
      const used: Used[] = [];
      const options: JobOptions = {
        action: join(action, below),
        workspace,
        temporary,
        inputs,
        github: { ...PUSH, ...github },
        environment: { PATH: `${programs}:${process.env.PATH}`, HOME: home, ...environment },
        uses: (name, values) => {
          used.push({ action: name, inputs: values });
          return uses(name, values);
        },
      };
      return { ...runComposite(options), used };
    },
  };
}

/** A command line that notes how it was called, and writes the results that it was given. */
export const NOTING_LAUNCH = `
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const args = process.argv.slice(2);
const after = (option) => args[args.indexOf(option) + 1];
const { CALLS, RESULTS = '', EXITS = '{}', GITHUB_TOKEN } = process.env;
appendFileSync(CALLS, JSON.stringify({ args, token: GITHUB_TOKEN ?? null }) + '\\n');
if (args[0] === 'run' && RESULTS !== '') writeFileSync(after('--json'), RESULTS);
if (args[0] === 'merge' && RESULTS !== '') writeFileSync(after('--output'), RESULTS);
if (args[0] === 'diff' && args.includes('--output')) writeFileSync(after('--output'), '{"changes": [1, 2]}');
if (args[0] === 'report' && args.includes('html')) mkdirSync(after('--output'));
else process.stdout.write('output of ' + args[0] + (args[0] === 'report' ? ' ' + after('--format') : '') + '\\n');
if (args[0] === 'run') process.stdout.write('::error file=planted::a log says so\\n::add-mask::0\\n');
const exits = JSON.parse(EXITS);
process.exitCode = exits[args[0] === 'report' ? 'report ' + after('--format') : args[0]] ?? 0;
`;

/** What {@link NOTING_LAUNCH} noted. */
export function readCalls(path: string): { readonly args: readonly string[]; readonly token: string | null }[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as { args: string[]; token: string | null });
}
