import { ExplainedError } from '../../loader/errors.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { showControls } from '../report/formats/control-characters.ts';
import { EXIT } from './exit-codes.ts';

/** Codes of errors that are the user's to mend in what was asked for, not in the machine. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  'bad-kernel-request',
  'kernel-line-unknown',
  'bad-debian-mirror',
  'bad-address',
  'bad-proxy',
  'bad-version-range',
  'no-terminal',
  'bisect-not-compiled',
  'no-results',
  'no-shards',
  'shard-given-twice',
  'shards-differ',
  'cell-in-two-shards',
  'no-matrix',
  'lock-file-missing',
  'lock-file-invalid',
  'not-locked',
  'output-has-no-place',
  'no-history',
  'template-space-invalid',
  'github-event-bad',
  'github-no-token',
  'github-token-bad',
  'github-name-bad',
  'github-gate-unknown',
  // What an entry of the matrix names is not there, or not what the entry says.
  'bad-image-reference',
  'oci-tag-unknown',
  'oci-repository-unknown',
  'image-unreadable',
  'image-not-a-kernel',
  'image-wrong-architecture',
  'file-unreadable',
  'config-not-a-config',
  'modules-missing',
  'modules-for-other-release',
  'tree-missing',
  'tree-not-configured',
  'tree-not-built',
  'tree-stale',
  'build-source-missing',
  'build-source-bad',
  'config-fragment-missing',
  'config-fragment-bad',
  'kernel-unfit',
]);

/** Prints an error for a person and gives the exit code. Only a defect of this program shows a stack trace. */
export function reportError(error: unknown): number {
  if (error instanceof ExplainedError) {
    // Names and excerpts of files are part of it.
    process.stderr.write(`ksym-matrix: ${showControls(error.explain())}\n`);
    return error instanceof ConfigError || USAGE_CODES.has(error.code) ? EXIT.usage : EXIT.broken;
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof Error && (code === 'ENOSPC' || code === 'EDQUOT')) {
    process.stderr.write(
      `ksym-matrix: the disk is full: ${error.message}\n  → free some space, or set KSYM_MATRIX_CACHE or TMPDIR to a folder with more\n`,
    );
    return EXIT.broken;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`ksym-matrix: this is a defect of ksym-matrix, please report it:\n${text}\n`);
  return EXIT.broken;
}
