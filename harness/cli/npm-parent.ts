import { readFileSync } from 'node:fs';

/** How often is looked. */
const INTERVAL_MS = 250;

/**
 * Calls `onGone` when the npm that started this program is gone, or the shell between the two. npm passes on SIGINT and SIGTERM to its shell alone, which
 * dies of SIGTERM without passing it on unless it has become this program; it passes on no SIGHUP, and SIGKILL cannot be passed on.
 *
 * Only npm is watched, because only there nobody else has an interest in what goes on. The end of another parent means nothing: a shell
 * ends while its `setsid ksym-matrix run &` is to go on. What npm started is recognised by npm's variable, and by the process group: who
 * puts this program into the background of an interactive shell, or under setsid, gives it a group of its own.
 */
export function watchNpm(onGone: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const watched = ancestorsUpToNpm();
  if (watched.length === 0) return;
  const timer = setInterval(() => {
    if (watched.every((one) => statusOf(one.pid)?.startedAt === one.startedAt)) return;
    clearInterval(timer);
    onGone();
  }, INTERVAL_MS);
  timer.unref();
}

interface Status {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** In clock ticks since boot: tells a process from a later one with the same number. */
  readonly startedAt: string;
}

/** The parents within this program's process group, up to npm, which names itself so; the direct one alone if npm is not among them. */
function ancestorsUpToNpm(): Status[] {
  const self = statusOf(process.pid);
  const found: Status[] = [];
  for (let one = statusOf(process.ppid); one !== undefined && one.group === self?.group; one = statusOf(one.parent)) {
    found.push(one);
    if (/^(\S*\/)?npm( |$)/.test(read(one.pid, 'cmdline'))) return found;
  }
  return found.slice(0, 1);
}

/** Reads /proc/PID/stat (proc(5)); undefined if there is no such process, or only its exit code waits to be read. */
function statusOf(pid: number): Status | undefined {
  // The command's name comes second, in parentheses, and may hold any character.
  const text = read(pid, 'stat');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, startedAt] = [fields[0], fields[1], fields[2], fields[19]];
  if (startedAt === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, parent: Number(parent), group: Number(group), startedAt };
}

function read(pid: number, file: 'stat' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
