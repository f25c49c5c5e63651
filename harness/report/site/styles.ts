import { GRID } from './styles/grid.ts';
import { MEDIA } from './styles/media.ts';
import { PAGE } from './styles/page.ts';
import { PROGRAM } from './styles/program.ts';
import { TOKENS } from './styles/tokens.ts';

/** The style sheet of the site. It is text because the compiler copies nothing but TypeScript. */
export const STYLES: string = `${TOKENS.trim()}\n${PAGE.trim()}\n${GRID.trim()}\n${PROGRAM.trim()}\n${MEDIA.trim()}\n`;
