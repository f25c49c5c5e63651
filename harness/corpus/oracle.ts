import type { AgentConnection } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { LOADED, type Verdict } from './verdict.ts';

/** Where bpftool and its libraries lie in a guest. */
export const ORACLE_FOLDER = '/run/oracle';

/**
 * bpftool of the corpus's own package, with the libraries that it was built for. Nothing is attached: `prog loadall` loads and pins, into a file
 * system that goes away with the command.
 */
const SCRIPT = `
box=$1; root=$2
$box cat >/run/object.bpf.o
$box mkdir -p /sys/fs/bpf && $box mount -t bpf bpf /sys/fs/bpf || exit 99
"$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/sbin/bpftool" \\
  prog loadall /run/object.bpf.o /sys/fs/bpf/programs 2>&1
code=$?
$box umount /sys/fs/bpf
$box rm -f /run/object.bpf.o
exit $code`;

/** Reason of an object that was not loaded in time. */
export const TIMEOUT = 'timeout';
/** Exit code of {@link SCRIPT} where no bpffs can be mounted; bpftool ends with 255. */
const NO_BPFFS = 99;

/**
 * Asks libbpf to load an object with all of its programs that load by default.
 * @param timeoutMs then it is killed, and refused for that
 * @throws AgentError if the guest is lost
 */
export async function askLibbpf(
  agent: AgentConnection,
  busybox: string,
  object: Uint8Array,
  timeoutMs: number,
): Promise<Verdict> {
  const { exitCode, timedOut, stdout } = await agent.execute({
    argv: [busybox, 'sh', '-c', SCRIPT, 'sh', busybox, ORACLE_FOLDER],
    environment: { PATH: '/bin', LC_ALL: 'C' },
    input: object,
    timeoutMs,
  });
  const said = Buffer.from(stdout).toString('utf8');
  if (timedOut) return { loaded: false, reason: TIMEOUT, detail: `not within ${timeoutMs / 1000} s` };
  if (exitCode === NO_BPFFS) return { loaded: false, reason: 'no-bpffs', detail: said };
  return exitCode === 0 ? LOADED : verdictOf(said);
}

/** What bpftool's complaint means. */
export function verdictOf(said: string): Verdict {
  // It was loaded: only programs that are not to be loaded by default have nothing to pin.
  if (/can't pin program that wasn't loaded/.test(said)) return LOADED;
  const [, program, why] = /^libbpf: prog '([^']*)': BPF program load failed: (.*)$/m.exec(said) ?? [];
  if (program !== undefined && why !== undefined) {
    return { loaded: false, reason: `${program} ${errnoOf(why)}`, detail: said };
  }
  const lines = said.split('\n').filter((line) => /^(?:libbpf|Error): /.test(line));
  const first =
    lines.find((line) => !/^libbpf: (?:elf: skipping|load bpf program|-- |Error in bpf_create_map)/.test(line)) ??
    lines[0] ??
    said;
  return { loaded: false, reason: first.replace(/^(?:libbpf|Error): /, '').slice(0, 160), detail: said };
}

/** libbpf tells errors as strerror(3) does, or, since 1.6, by name. */
function errnoOf(text: string): string {
  const name = /^-?(E[A-Z0-9]+)$/.exec(text.trim())?.[1];
  if (name !== undefined) return name;
  const number = STRERROR.get(text.trim()) ?? Number(/^unknown error \(-?(\d+)\)$/.exec(text.trim())?.[1] ?? 0);
  return number === 0 ? text.trim() : errnoName(number);
}

/** Messages of the C library for what bpf(2) answers. */
const STRERROR: ReadonlyMap<string, number> = new Map([
  ['Operation not permitted', 1],
  ['No such file or directory', 2],
  ['No such process', 3],
  ['Argument list too long', 7],
  ['Bad file descriptor', 9],
  ['Resource temporarily unavailable', 11],
  ['Cannot allocate memory', 12],
  ['Permission denied', 13],
  ['Bad address', 14],
  ['Device or resource busy', 16],
  ['File exists', 17],
  ['Invalid argument', 22],
  ['No space left on device', 28],
  ['Numerical result out of range', 34],
  ['Operation not supported', 95],
]);
