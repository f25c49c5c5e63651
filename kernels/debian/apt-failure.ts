import { ExplainedError } from '../../loader/errors.ts';
import type { ToolResult } from '../run-tool.ts';

/**
 * Turns what apt printed when it failed into an error that says what to do. Its text is in English (LC_ALL=C).
 *
 * @param otherwise the code if none of the known causes is recognised
 */
export function classifyAptFailure(result: ToolResult, otherwise: string, what: string): ExplainedError {
  const why = complaints(result);
  const known = CAUSES.filter((cause) => cause.code !== 'package-gone' || otherwise === 'download-failed');
  for (const cause of known) {
    if (cause.pattern.test(why)) return new ExplainedError(cause.code, what, { why, fix: cause.fix });
  }
  return new ExplainedError(otherwise, what, {
    why,
    fix: 'Check the mirror (KSYM_MATRIX_DEBIAN_MIRROR names another) and the proxy settings of apt.',
  });
}

/** Whether a reason that apt gives may be gone in a minute, so that asking again is worth while. */
export function isPassing(why: string): boolean {
  return CAUSES.some(({ code, pattern }) => (code === 'network-failed' || code === 'disk-full') && pattern.test(why));
}

/** What apt complains of, each thing once: the reasons stand in indented lines below `Err:`, or in `E:` and `W:`. */
function complaints(result: ToolResult): string {
  const lines = `${result.stdout.toString('utf8')}\n${result.stderr}`.split('\n');
  const reasons = lines.filter((line) => /^( {2}|[EW]: )/.test(line)).map((line) => line.trim());
  const distinct = [...new Set(reasons)].filter((line) => !line.startsWith('E: Some index files failed'));
  return (
    distinct.slice(0, 4).join('\n    ') ||
    result.stderr.trim().split('\n').slice(0, 3).join('\n    ') ||
    `it ended with ${result.exitCode}`
  );
}

const CAUSES: readonly { code: string; pattern: RegExp; fix: string }[] = [
  {
    code: 'disk-full',
    pattern: /No space left on device|ENOSPC|not enough free space|Disk quota exceeded|Write error/i,
    fix: 'Free some space, or set KSYM_MATRIX_CACHE to a folder on another disk.',
  },
  {
    code: 'signature-refused',
    pattern: /NO_PUBKEY|BADSIG|EXPKEYSIG|is not signed|signature|Clearsigned file isn't valid/i,
    fix: "The mirror's release file is not signed by a key of Debian's: use another mirror, or update debian-archive-keyring.",
  },
  {
    code: 'release-expired',
    pattern: /is expired|is not valid yet/i,
    fix: "The mirror is out of date, or this machine's clock is wrong.",
  },
  {
    code: 'digest-mismatch',
    pattern: /Hash Sum mismatch|unexpected size|Mirror sync in progress/i,
    fix: 'The mirror served something else than its signed list says: try again later, or use another mirror.',
  },
  {
    code: 'package-gone',
    pattern:
      /404\s+Not Found|was not found|Unable to locate package|Can't find a source to download|Can't select candidate|File not found/i,
    fix: 'The mirror has replaced it since the list was read: read the lists anew (--refresh).',
  },
  {
    code: 'network-failed',
    pattern:
      /Could not resolve|Temporary failure|Could not connect|Connection (failed|timed out|refused)|Unable to connect|Network is unreachable|timed out/i,
    fix: 'Check the network, and the proxy settings of apt (Acquire::http::Proxy) or http_proxy. What is in the cache still works offline.',
  },
];
