/** Systems and machines in names of Go's files, `proc_windows.go`: the compiler reads none of those that are not its own. */
const ELSEWHERE =
  /_(?:aix|android|darwin|dragonfly|freebsd|illumos|ios|js|netbsd|openbsd|plan9|solaris|wasip1|windows|386|arm|arm64|loong64|mips|mips64|mips64le|mips64x|mipsle|mipsx|ppc64|ppc64le|ppc64x|riscv64|s390x|wasm)\.(?:go|s|h)$/;

/** Documentation, tests and what they read, and programs. */
const ASIDE = /^usr\/share\/(?:doc|man|lintian)\/|_test\.go$|\/testdata\/|\/cmd(?:\/|$)/;

/** The only ones of Go's tools that `go build` starts where there is no C. */
const TOOLS = ['asm', 'compile', 'link'];

/** Whether a file of a package of Go sources is read when something for x86-64 Linux is built with it. */
export function isWantedSource(path: string): boolean {
  return !ASIDE.test(path) && !ELSEWHERE.test(path);
}

/**
 * The same for the packages of Go itself, as golang-1.24-go and golang-1.24-src: the compiler's own sources are left out, tools that are not
 * used, and the compiled standard library that some versions bring and `-trimpath` has no use for. That is 100 MB of 400.
 */
export function isWantedOfGo(path: string): boolean {
  const inside = path.replace(/^usr\/(?:lib|share)\/go-[\d.]+\//, '');
  if (/^(?:api|doc|lib|misc|test)(?:\/|$)/.test(inside) || inside === 'bin/gofmt') return false;
  const [, below, tool] = /^pkg\/(?!include)([^/]+)(?:\/[^/]+\/([^/]+))?/.exec(inside) ?? [];
  if (below !== undefined && below !== 'tool') return false;
  if (tool !== undefined) return TOOLS.includes(tool);
  return isWantedSource(path);
}
