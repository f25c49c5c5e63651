// npm run docs:api: writes docs/api anew from the docstrings of what loader/index.ts exports. typedoc needs a TypeScript before 7, so it is installed
// here, apart from everything else.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const PAGES = join(ROOT, 'docs', 'api');

/** Runs a tool; what it prints is progress. Ends with it if it fails. */
function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

// Compiles if anything has changed: the pages carry a digest of the declaration files.
run(process.execPath, [join(ROOT, 'harness', 'launch.mjs'), '--version'], ROOT);
if (!existsSync(join(HERE, 'node_modules', 'typedoc'))) run('npm', ['ci', '--no-audit', '--no-fund'], HERE);
const typedoc = join(HERE, 'node_modules', 'typedoc', 'bin', 'typedoc');
run(process.execPath, [typedoc, '--out', PAGES, '--logLevel', 'Warn'], HERE);

for (const name of readdirSync(PAGES, { recursive: true })) {
  if (!name.endsWith('.md')) continue;
  const path = join(PAGES, name);
  writeFileSync(path, `${readFileSync(path, 'utf8').trimEnd()}\n`);
}
const { apiDigest, digestMarker } = await import(
  new URL('../../build/harness/api-docs/public-api.js', import.meta.url).href
);
appendFileSync(join(PAGES, 'README.md'), `\n${digestMarker(apiDigest(join(ROOT, 'build', 'loader')))}\n`);
