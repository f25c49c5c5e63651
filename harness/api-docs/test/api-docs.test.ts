import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { apiDigest, digestMarker, undocumented, withoutDocstring } from '../public-api.ts';

const LOADER = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'loader');
const PAGES = join(PACKAGE_ROOT, 'docs', 'api');

t.test('Everything that the library exports, and every method, has a docstring', (t) => {
  t.strictSame(undocumented(LOADER), []);
  t.end();
});

t.test('The pages in docs/api are those of this source', (t) => {
  const index = readFileSync(join(PAGES, 'README.md'), 'utf8');
  t.ok(index.includes(digestMarker(apiDigest(LOADER))), 'else: npm run docs:api');
  for (const page of ['classes/ObjectSpec.md', 'classes/Kernel.md', 'functions/parseObject.md']) {
    t.ok(existsSync(join(PAGES, page)), page);
  }
  t.end();
});

t.test('A missing docstring is found, wherever it is missing', (t) => {
  const text = `import type { X } from './x.ts';
/** Has one. */
export declare class Documented {
    #private;
    readonly name: string;
    private constructor();
    /** Has one. */
    static make<T>(value: T): Documented;
    static bare(value: number): void;
    get size(): number;
    [Symbol.asyncDispose](): Promise<void>;
}
export declare function bare(value: {
    inner(): void;
}): void;
/** Has one. */
export interface Shape {
    method(): void;
    optional?(): void;
    readonly callback: (value: number) => void;
    /** Has one. */
    other(): void;
}
/**
 * Has one.
 */
export declare const NUMBERS: readonly number[];
export type Bare = string;
interface Private {
    hidden(): void;
}
`;
  const all = [
    'Documented.bare',
    'Documented.size',
    'bare',
    'Shape.method',
    'Shape.optional',
    'Shape.callback',
    'Bare',
  ];
  t.strictSame(withoutDocstring(text), all);
  t.strictSame(withoutDocstring(text, new Set(['Bare'])), ['Bare'], 'only what is asked for');
  t.end();
});
