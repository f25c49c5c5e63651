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
  writeFileSync(join(action, 'harness', 'launch.mjs'), launch, { mode: 0o755 });
  // The steps start it with Node, whatever it is. NODE_OPTIONS is tap's, and slows each start (harness/cli/test/command.ts).
  const other = launch.startsWith('#!') ? 'case $1 in */harness/launch.mjs) exec "$@" ;; esac\n' : '';
  const node = `#!/bin/sh\n${other}unset NODE_OPTIONS\nexec '${process.execPath}' "$@"\n`;
  writeFileSync(join(programs, 'node'), node, { mode: 0o755 });
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

/**
 * A command line that notes how it was called, and writes the results that it was given. In shell, because there are some eighty calls in these tests, and
 * each would start a Node.
 */
export const NOTING_LAUNCH = `#!/bin/sh
token=\${GITHUB_TOKEN+had it: }\${GITHUB_TOKEN-}
printf '%s\\0' "$#" "$token" "$@" >>"$CALLS"
command=$1 key=$1 output= format=
while [ "$#" -gt 0 ]; do
	case $1 in
	--json | --output) output=$2 ;;
	--format) format=$2 ;;
	esac
	shift
done
[ "$command" != report ] || key="report $format"
case $command in
run | merge) [ -z "$RESULTS" ] || printf '%s' "$RESULTS" >"$output" ;;
diff) [ -z "$output" ] || echo '{"changes": [1, 2]}' >"$output" ;;
esac
if [ "$key" = 'report html' ]; then mkdir "$output"; else echo "output of $key"; fi
[ "$command" != run ] || printf '::error file=planted::a log says so\\n::add-mask::0\\n'
# EXITS is JSON: how commands end that do not end well.
case $EXITS in *'"'"$key"'":'*) ;; *) exit 0 ;; esac
code=\${EXITS#*'"'"$key"'":'}
exit "\${code%%[,'}']*}"
`;

/** What {@link NOTING_LAUNCH} noted. */
export function readCalls(path: string): { readonly args: readonly string[]; readonly token: string | null }[] {
  if (!existsSync(path)) return [];
  const words = readFileSync(path, 'utf8').split('\0').slice(0, -1);
  const calls: { args: string[]; token: string | null }[] = [];
  while (words.length > 0) {
    const [count, token = ''] = words.splice(0, 2);
    const hadToken = token.startsWith(HAD_TOKEN);
    calls.push({ args: words.splice(0, Number(count)), token: hadToken ? token.slice(HAD_TOKEN.length) : null });
  }
  return calls;
}

const HAD_TOKEN = 'had it: ';
