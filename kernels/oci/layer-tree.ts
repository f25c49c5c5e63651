import { link, mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  checkKind,
  hardLinkSource,
  linkTarget,
  pathParts,
  type Refuse,
  writeContent,
} from '../archive/entry-checks.ts';
import type { TarEntry } from '../archive/tar.ts';

/** What a kernel is made of; the rest of an image is not unpacked. `lib` is often a link to `usr/lib`, and then its modules are there. */
const WANTED: readonly string[] = ['boot', 'lib/modules', 'usr/lib/modules'];

/** One place in the image. Kept for wanted places and the folders above them. */
interface Node {
  type: 'file' | 'directory' | 'symlink';
  /** Of the layer that it is from. */
  layer: number;
  readonly children: Map<string, Node>;
}

/**
 * The folder that an image's layers are laid over each other in, as the image-spec says ("Applying Changesets", "Whiteouts"): of each layer, whatever was in lower layers at
 * the same place is replaced, and `.wh.NAME` and `.wh..wh..opq` take away what lower layers have put there, wherever in the layer they stand.
 *
 * Refused are the entries that `entry-checks.ts` names. Nothing is written through a symbolic link: what is above an entry is known from the layers, and a
 * link there that is from the same layer is refused, one from a lower layer makes room for a folder.
 */
export class LayerTree {
  readonly #root: string;
  readonly #refuse: Refuse;
  readonly #top: Node = { type: 'directory', layer: -1, children: new Map() };
  #layer = -1;

  /** @param root an empty folder */
  constructor(root: string, refuse: Refuse) {
    this.#root = root;
    this.#refuse = refuse;
  }

  /** What is added from now on lies above all that is there. */
  startLayer(): void {
    this.#layer += 1;
  }

  /** Puts one entry of the current layer into its place, if it is one that a kernel is made of. @throws what the constructor's `refuse` makes */
  async add(entry: TarEntry): Promise<void> {
    const parts = pathParts(entry, this.#refuse);
    const name = parts.at(-1) ?? '';
    if (name.startsWith(WHITEOUT)) {
      await this.#whiteOut(parts.slice(0, -1), name);
      return;
    }
    const path = parts.join('/');
    const isWanted = WANTED.some((wanted) => path.startsWith(`${wanted}/`));
    if (!isWanted) {
      // Folders above a wanted one come with it; anything else in the place of one takes it away.
      const isAbove = WANTED.some((wanted) => `${wanted}/`.startsWith(`${path}/`));
      if (path !== '' && isAbove && entry.type !== 'directory') await this.#put(entry, parts, 'symlink');
      return;
    }
    checkKind(entry, this.#refuse);
    const place = join(this.#root, path);
    if (entry.type === 'directory') {
      await this.#put(entry, parts, 'directory');
    } else if (entry.type === 'symlink') {
      const target = linkTarget(entry, path, this.#refuse);
      await this.#put(entry, parts, 'symlink');
      await symlink(target, place);
    } else if (entry.type === 'hardlink') {
      const source = hardLinkSource(entry, (other) => this.#find(other.split('/'))?.type === 'file', this.#refuse);
      if (source === path) return;
      await this.#put(entry, parts, 'file');
      await link(join(this.#root, source), place);
    } else {
      await this.#put(entry, parts, 'file');
      await writeContent(entry, place);
    }
  }

  /**
   * To be called when all layers are there: links that lead nowhere are removed, as their targets belong to the rest of the image.
   * @throws what the constructor's `refuse` makes, if one leads out of the folder by way of others
   */
  async checkLinks(): Promise<void> {
    const root = await realpath(this.#root);
    const check = async (node: Node, path: string): Promise<void> => {
      for (const [name, child] of node.children) {
        const below = path === '' ? name : `${path}/${name}`;
        const isWritten = WANTED.some((wanted) => below.startsWith(`${wanted}/`));
        if (child.type === 'symlink' && isWritten) {
          const target = await realpath(join(root, below)).catch(() => null);
          if (target === null) await rm(join(root, below));
          else if (!target.startsWith(`${root}/`)) {
            throw this.#refuse({ path: below }, 'it links out of the archive, by way of other links');
          }
        }
        await check(child, below);
      }
    };
    await check(this.#top, '');
  }

  #find(parts: readonly string[]): Node | undefined {
    let node: Node | undefined = this.#top;
    for (const part of parts) node = node?.children.get(part);
    return node;
  }

  /** Makes room for an entry: folders above it, and nothing in its place, unless both are folders. A folder is made, anything else is left to the caller. */
  async #put(entry: TarEntry, parts: readonly string[], type: Node['type']): Promise<void> {
    let node = this.#top;
    for (const [index, part] of parts.entries()) {
      const isLast = index === parts.length - 1;
      const wanted = isLast ? type : 'directory';
      const path = parts.slice(0, index + 1).join('/');
      const old = node.children.get(part);
      if (old !== undefined && old.type === 'directory' && wanted === 'directory') {
        // A layer that names a folder again keeps what lower layers have in it.
        old.layer = isLast ? this.#layer : old.layer;
        node = old;
        continue;
      }
      if (old !== undefined) {
        if (!isLast && old.layer === this.#layer) {
          throw this.#refuse(entry, `${path} is a ${old.type === 'symlink' ? 'symbolic link' : 'file'}`);
        }
        await rm(join(this.#root, path), { recursive: true, force: true });
      }
      const made: Node = { type: wanted, layer: this.#layer, children: new Map() };
      node.children.set(part, made);
      if (wanted === 'directory') await mkdir(join(this.#root, path), { recursive: true });
      node = made;
    }
  }

  async #whiteOut(folder: readonly string[], name: string): Promise<void> {
    const parent = this.#find(folder);
    if (parent === undefined) return;
    if (name === OPAQUE) {
      for (const child of [...parent.children.keys()]) await this.#removeLower(parent, folder, child);
    } else if (!name.startsWith(RESERVED)) {
      await this.#removeLower(parent, folder, name.slice(WHITEOUT.length));
    }
  }

  /** Removes what lower layers have put at a place. A folder stays as long as the current layer has something in it. */
  async #removeLower(parent: Node, folder: readonly string[], name: string): Promise<void> {
    const node = parent.children.get(name);
    if (node === undefined) return;
    const path = [...folder, name];
    for (const child of [...node.children.keys()]) await this.#removeLower(node, path, child);
    if (node.layer === this.#layer || node.children.size > 0) return;
    parent.children.delete(name);
    await rm(join(this.#root, ...path), { recursive: true, force: true });
  }
}

const WHITEOUT = '.wh.';
/** Notes of the file system that invented whiteouts; of these only the opaque mark means anything. */
const RESERVED = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';
