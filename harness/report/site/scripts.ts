import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The scripts of client/ as they were compiled, by name, joined into the one that pages load: classic scripts, which share one scope. */
export async function readScripts(): Promise<string> {
  const folder = new URL('./client/', import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.js')).sort();
  const texts = await Promise.all(names.map((name) => readFile(fileURLToPath(new URL(name, folder)), 'utf8')));
  return texts.map((text) => `${text.trimEnd()}\n`).join('');
}
