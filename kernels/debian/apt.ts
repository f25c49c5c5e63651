import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { requireSpace } from '../free-space.ts';
import { runTool, type ToolResult } from '../run-tool.ts';
import { classifyAptFailure, isPassing } from './apt-failure.ts';
import type { DebianMirror } from './mirror.ts';
import { type DebianPackage, scanPackages } from './package-list.ts';
import { isKernelPackage, KERNEL_PACKAGE_PREFIXES } from './resolve.ts';
import { SUITES, type Suite } from './suites.ts';

/** The packages that matter, out of the signed lists of all suites. */
export interface PackageLists {
  /** When the mirror was asked, in milliseconds since 1970. */
  readonly fetchedAt: number;
  /** False if a suite is missing for a reason that may be gone in a minute, such as a connection that timed out, or packages may be missing. */
  readonly complete: boolean;
  /** Which packages were kept. */
  readonly scope?: string;
  readonly mirror: { readonly main: string; readonly security: string | null };
  readonly packages: readonly DebianPackage[];
  /** Suites that could not be had, each with apt's reason. */
  readonly missing: readonly { readonly suite: string; readonly why: string }[];
}

/** What an {@link Apt} works with. */
export interface AptOptions {
  /** A folder of this project's own: apt's whole state goes there, never into the system's. */
  readonly directory: string;
  readonly mirror: DebianMirror;
  /** Default: {@link SUITES}. */
  readonly suites?: readonly Suite[];
  /** The keys that signatures are checked with. Default: Debian's, from the package debian-archive-keyring. */
  readonly keyring?: string;
  /** Names of the packages that are kept of the lists, and no others. Default: kernels, and what the harness fetches beside them. */
  readonly names?: readonly string[];
  /** Keeps apt's index of all packages, 104 MB for six suites, which takes seconds to make and is made for each download else. Default: false. */
  readonly keepIndex?: boolean;
  readonly signal?: AbortSignal;
}

/** What is kept of the lists, beside kernels: tools, and sources that kernels are built from. */
const OTHERS: readonly { readonly prefix: string; readonly name: RegExp }[] = [
  { prefix: 'virtme-ng', name: /^virtme-ng$/ },
  { prefix: 'docker-registry', name: /^docker-registry$/ },
  { prefix: 'linux-source-', name: /^linux-source-\d+\.\d+$/ },
];

/**
 * Debian's package manager with a private state, as an ordinary user. It checks the chain of trust (signature of InRelease, digests of
 * the lists, digests of the packages), resumes, retries and honours proxies. Callers keep two runs apart with a lock.
 */
export class Apt {
  readonly #options: AptOptions;
  readonly #kept: KeptPackages;

  constructor(options: AptOptions) {
    this.#options = options;
    this.#kept = options.names === undefined ? KERNELS_AND_TOOLS : keepNames(options.names);
  }

  /** The lists of the last {@link update}, or null if there are none, or they are from another mirror. */
  async lists(): Promise<PackageLists | null> {
    const text = await readFile(this.#path('packages.json'), 'utf8').catch(() => null);
    if (text === null) return null;
    try {
      const document: unknown = JSON.parse(text);
      if (!isLists(document)) return null;
      const { main, security } = this.#options.mirror;
      if (document.mirror.main !== main || document.mirror.security !== security) return null;
      return { ...document, complete: document.complete && document.scope === this.#kept.scope };
    } catch {
      return null;
    }
  }

  /**
   * Asks the mirror for its lists. A suite that cannot be had is in the result's `missing`; what else is there can be used.
   *
   * @throws ExplainedError `apt-update-failed` if no suite could be had, `debian-keyring-missing`, `tool-missing`, `disk-full`
   */
  async update(): Promise<PackageLists> {
    await this.#configure();
    // apt 2.6 hangs if the disk fills up while it stores a list.
    await requireSpace(this.#options.directory, LISTS_BYTES, 'package lists');
    const previous = await this.lists();
    const result = await this.#run('apt-get', ['-o', 'APT::Update::Error-Mode=any', 'update']);
    const output = `${result.stdout.toString('utf8')}\n${result.stderr}`;
    const { main, security } = this.#options.mirror;
    const failure = classifyAptFailure(result, 'apt-update-failed', `the package lists of ${main} cannot be read`);
    if (result.exitCode !== 0 && failure.code === 'disk-full') throw failure;
    const present = await this.#presentLists();
    const packages: DebianPackage[] = [];
    const missing: { suite: string; why: string }[] = [];
    for (const suite of this.#options.suites ?? SUITES) {
      const file = present.get(suite.name);
      const complaint = result.exitCode === 0 ? null : complaintAbout(output, suite.name);
      if (file === undefined || complaint !== null) {
        missing.push({
          suite: suite.name,
          why: complaint ?? (this.#address(suite) === null ? NO_SECURITY : 'apt has no list of it'),
        });
        // A list that was refused is not used, even if an older one is still there; one that could not be renewed is.
        if (isPassing(complaint ?? ''))
          packages.push(...(previous?.packages ?? []).filter((one) => one.suite === suite.name));
        continue;
      }
      const list = await this.#run(APT_HELPER, ['cat-file', file]);
      if (list.exitCode !== 0)
        throw classifyAptFailure(list, 'apt-update-failed', `the list of ${suite.name} cannot be read`);
      packages.push(...scanPackages(list.stdout, suite.name, this.#kept.prefixes, this.#kept.wanted));
    }
    if (packages.length === 0) throw failure;
    const passing = missing.some(({ why }) => isPassing(why));
    const lists: PackageLists = {
      complete: !passing,
      scope: this.#kept.scope,
      fetchedAt: Date.now(),
      mirror: { main, security },
      packages,
      missing,
    };
    const temporary = this.#path(`packages.json.${randomUUID()}`);
    await writeFile(temporary, JSON.stringify(lists));
    await rename(temporary, this.#path('packages.json'));
    return lists;
  }

  /**
   * Downloads one package into `directory`, under a name of apt's choosing; apt compares its digest with the signed list.
   *
   * @throws ExplainedError `package-gone`, `network-failed`, `digest-mismatch`, `disk-full`, `download-failed`
   */
  async download(one: DebianPackage, directory: string): Promise<void> {
    await this.#configure();
    await mkdir(directory, { recursive: true });
    await requireSpace(directory, one.size, one.name);
    const result = await this.#run('apt-get', ['download', `${one.name}=${one.version}`], directory);
    if (result.exitCode !== 0)
      throw classifyAptFailure(result, 'download-failed', `${one.name} ${one.version} cannot be downloaded`);
  }

  #path(...parts: string[]): string {
    return join(this.#options.directory, ...parts);
  }

  #address(suite: Suite): string | null {
    return suite.archive === 'security' ? this.#options.mirror.security : this.#options.mirror.main;
  }

  async #run(command: string, args: readonly string[], cwd?: string): Promise<ToolResult> {
    return runTool(command, args, {
      package: 'apt',
      env: { APT_CONFIG: this.#path('apt.conf') },
      ...(cwd === undefined ? {} : { cwd }),
      ...(this.#options.signal === undefined ? {} : { signal: this.#options.signal }),
    });
  }

  /** The file that apt keeps each suite's list in; suites without one are left out. */
  async #presentLists(): Promise<Map<string, string>> {
    const result = await this.#run('apt-get', [
      'indextargets',
      '--format',
      '$(RELEASE) $(COMPONENT) $(FILENAME)',
      'Created-By: Packages',
    ]);
    const lines = result.stdout.toString('utf8').split('\n');
    return new Map(
      lines.flatMap((line) => {
        const [, suite, file] = /^(\S+) main (.+)$/.exec(line) ?? [];
        return suite === undefined || file === undefined ? [] : [[suite, file] as const];
      }),
    );
  }

  async #configure(): Promise<void> {
    const keyring = this.#options.keyring ?? DEBIAN_KEYRINGS.find((path) => existsSync(path));
    if (keyring === undefined || !existsSync(keyring)) {
      throw new ExplainedError('debian-keyring-missing', "Debian's archive keys are not installed", {
        where: keyring ?? DEBIAN_KEYRINGS.join(' or '),
        fix: 'sudo apt-get install debian-archive-keyring',
      });
    }
    for (const folder of ['lists/partial', 'cache/archives/partial', 'empty']) {
      await mkdir(this.#path(folder), { recursive: true });
    }
    await this.#settle('status', '');
    await this.#settle('debian.sources', this.#sources(keyring));
    await writeFile(this.#path('apt.conf'), await this.#settings());
  }

  /** Writes a file unless it is so: apt makes its index anew if it is older than one of these. */
  async #settle(name: string, content: string): Promise<void> {
    const before = await readFile(this.#path(name), 'utf8').catch(() => null);
    if (content !== before) await writeFile(this.#path(name), content);
  }

  #sources(keyring: string): string {
    const stanza = (archive: Suite['archive'], address: string | null): string => {
      const suites = (this.#options.suites ?? SUITES).filter((suite) => suite.archive === archive);
      if (address === null || suites.length === 0) return '';
      const names = suites.map((suite) => suite.name).join(' ');
      return `Types: deb\nURIs: ${address}\nSuites: ${names}\nComponents: main\nArchitectures: amd64\nSigned-By: ${keyring}\n\n`;
    };
    return stanza('main', this.#options.mirror.main) + stanza('security', this.#options.mirror.security);
  }

  /**
   * The system's hooks and sources are shut out by pointing apt elsewhere before it reads them; how it reaches the network
   * (proxies, time-outs, certificates) is copied from the system's settings.
   */
  async #settings(): Promise<string> {
    const system = await runTool('apt-config', ['dump'], { package: 'apt' });
    const network = system.stdout
      .toString('utf8')
      .split('\n')
      .filter((line) => HONOURED.test(line));
    const own: readonly (readonly [string, string])[] = [
      ['Dir::Etc::main', '/dev/null'],
      ['Dir::Etc::parts', this.#path('empty')],
      ['Dir::Etc::preferences', '/dev/null'],
      ['Dir::Etc::preferencesparts', this.#path('empty')],
      ['Dir::Etc::trusted', '/dev/null'],
      ['Dir::Etc::trustedparts', this.#path('empty')],
      ['Dir::Etc::sourcelist', this.#path('debian.sources')],
      ['Dir::Etc::sourceparts', this.#path('empty')],
      ['Dir::State', this.#options.directory],
      ['Dir::State::lists', this.#path('lists')],
      ['Dir::State::status', this.#path('status')],
      ['Dir::Cache', this.#path('cache')],
      // Two caches of 67 MB otherwise; building one takes a second, and of kernels there are few downloads.
      ['Dir::Cache::pkgcache', this.#options.keepIndex === true ? 'pkgcache.bin' : ''],
      ['Dir::Cache::srcpkgcache', ''],
      ['Dir::Log', this.#path('empty')],
      ['APT::Sandbox::User', ''],
      ['APT::Architecture', 'amd64'],
      ['APT::Architectures', 'amd64'],
      ['Acquire::Languages', 'none'],
      ['Acquire::PDiffs', 'false'],
      ['Acquire::GzipIndexes', 'true'],
      ['Acquire::Retries', '3'],
      // Suites are named by codename here, so that Debian's calling one "oldstable" changes nothing.
      ['Acquire::AllowReleaseInfoChange', 'true'],
    ];
    return [...network, ...own.map(([name, value]) => `${name} "${value}";`), ''].join('\n');
  }
}

/** Which packages are kept of the lists. */
interface KeptPackages {
  /** What their names begin with. */
  readonly prefixes: readonly string[];
  readonly wanted: (name: string) => boolean;
  /** Changes with what is kept: lists that were kept for something else, or by another version of this file, may lack packages. */
  readonly scope: string;
}

const KERNELS_AND_TOOLS: KeptPackages = {
  prefixes: [...KERNEL_PACKAGE_PREFIXES, ...OTHERS.map(({ prefix }) => prefix)],
  wanted: (name) => isKernelPackage(name) || OTHERS.some((other) => other.name.test(name)),
  scope: [...KERNEL_PACKAGE_PREFIXES, ...OTHERS.map(({ name }) => name.source)].join(' '),
};

function keepNames(names: readonly string[]): KeptPackages {
  const all = new Set(names);
  // The end of the line belongs to the prefix: no package is found twice by another's name.
  return {
    prefixes: [...all].map((name) => `${name}\n`),
    wanted: (name) => all.has(name),
    scope: [...all].sort().join(' '),
  };
}

/** What the lists take on disk: 42 MB kept, and as much while they are renewed. */
const LISTS_BYTES = 85e6;
const APT_HELPER = '/usr/lib/apt/apt-helper';
const HONOURED =
  /^Acquire::(?:(?:http|https|ftp|tor|socks5h?)(?:::[^ ]+)?|Proxy-Auto-Detect|ForceIPv[46]|Queue-Mode|Check-Valid-Until|Check-Date|Max-FutureTime) "/i;
const DEBIAN_KEYRINGS: readonly string[] = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];
const NO_SECURITY =
  "the security archive's address is not known: set KSYM_MATRIX_DEBIAN_SECURITY_MIRROR (it cannot be derived from the mirror's)";

/** What apt says about a suite, without its prefixes; null if it says nothing. */
function complaintAbout(output: string, suite: string): string | null {
  const lines = output
    .split('\n')
    .filter((line) => /^(E|W|Err)[: ]/.test(line) && line.split(/[\s/']+/).includes(suite));
  const detail = output.split('\n').filter((line) => /^(E|W): /.test(line) && line.includes(`/${suite}/`));
  const all = [...new Set([...lines, ...detail])].filter((line) => !line.startsWith('Err'));
  const said = all.length > 0 ? all : lines;
  return said.length === 0 ? null : said.map((line) => line.replace(/^(E|W|Err):?\d* ?/, '')).join('; ');
}

function isLists(document: unknown): document is PackageLists {
  return (
    typeof document === 'object' &&
    document !== null &&
    'complete' in document &&
    'fetchedAt' in document &&
    typeof document.fetchedAt === 'number' &&
    'packages' in document &&
    Array.isArray(document.packages) &&
    'missing' in document &&
    Array.isArray(document.missing) &&
    'mirror' in document &&
    typeof document.mirror === 'object' &&
    document.mirror !== null
  );
}
