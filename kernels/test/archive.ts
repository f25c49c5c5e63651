import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SigningKey } from './openpgp.ts';

/** A member of a tar archive, as odd as a test wants it. */
export interface Member {
  readonly path: string;
  /** Type flag. Default: `0`, a file. */
  readonly flag?: string;
  readonly mode?: number;
  readonly target?: string;
  readonly content?: Buffer | string;
}

/** A tar archive (POSIX ustar) of these members. */
export function makeTar(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ path, flag = '0', mode = 0o644, target = '', content = '' }) => {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(path, 0);
    header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
    header.write('0000000\0'.repeat(2), 108);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(flag, 156);
    header.write(target, 157);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** A binary package, see deb(5): an ar archive of a version, a tar archive of control files, and one of the files. */
export function makeDeb(control: string, members: readonly Member[]): Buffer {
  const parts: [string, Buffer][] = [
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar', makeTar([{ path: './control', content: control }])],
    ['data.tar', makeTar(members)],
  ];
  const pieces = parts.flatMap(([name, bytes]) => [
    Buffer.from(
      `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`,
    ),
    bytes,
    Buffer.alloc(bytes.length % 2, '\n'),
  ]);
  return Buffer.concat([Buffer.from('!<arch>\n'), ...pieces]);
}

/** A package of a {@link writeArchive}. */
export interface ArchivePackage {
  readonly name: string;
  readonly version: string;
  readonly depends?: string;
  readonly members: readonly Member[];
}

/** What is unusual about an archive. */
export interface ArchiveOptions {
  /** When it was signed. Default: now. */
  readonly at?: Date;
  /** The release file's Valid-Until. Default: none. */
  readonly validUntil?: Date;
  /** Whether the list is there as Packages.xz only, as in Debian's own archives. Default: false. */
  readonly compressed?: boolean;
}

/** Writes an archive with one suite, as a Debian mirror has it, and signs it. */
export function writeArchive(
  root: string,
  suite: string,
  key: SigningKey,
  packages: readonly ArchivePackage[],
  options: ArchiveOptions = {},
): void {
  const { at = new Date(), validUntil, compressed = false } = options;
  const stanzas = packages.map(({ name, version, depends, members }) => {
    const head = `Package: ${name}\nVersion: ${version}\nArchitecture: amd64\nMaintainer: Nobody <nobody@example.org>\n${
      depends === undefined ? '' : `Depends: ${depends}\n`
    }Description: made for a test\n`;
    const deb = makeDeb(head, members);
    const filename = `pool/${name}_${version}_amd64.deb`;
    write(join(root, filename), deb);
    return `${head}Filename: ${filename}\nSize: ${deb.length}\nSHA256: ${sha256(deb)}\n`;
  });
  const text = `${stanzas.join('\n')}\n`;
  const list = compressed ? spawnSync('xz', ['-c'], { input: text }).stdout : Buffer.from(text);
  const path = `main/binary-amd64/Packages${compressed ? '.xz' : ''}`;
  write(join(root, 'dists', suite, path), list);
  const release = [
    'Origin: Debian',
    `Suite: ${suite}`,
    `Codename: ${suite}`,
    `Date: ${at.toUTCString()}`,
    ...(validUntil === undefined ? [] : [`Valid-Until: ${validUntil.toUTCString()}`]),
    'Architectures: amd64',
    'Components: main',
    'SHA256:',
    ` ${sha256(list)} ${list.length} ${path}`,
  ];
  write(join(root, 'dists', suite, 'InRelease'), key.clearSign(`${release.join('\n')}\n`, at));
}

function write(file: string, content: Buffer | string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
