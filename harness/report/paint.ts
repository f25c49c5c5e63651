import { styleText } from 'node:util';

/** Colours by meaning. Words and symbols say the same, so nothing is lost without them. */
export interface Paint {
  readonly good: (text: string) => string;
  readonly expected: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
}

/** Colours for a stream: none if it is no terminal, or as NO_COLOR, FORCE_COLOR and TERM=dumb say. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  if (!wantsColour(stream)) return { good: same, expected: same, bad: same, dim: same, strong: same };
  // The decision is made above, for this stream, because Node 20's own ignores it in places.
  const style = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    styleText(format, text, { validateStream: false });
  return { good: style('green'), expected: style('cyan'), bad: style('red'), dim: style('dim'), strong: style('bold') };
}

function wantsColour(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return stream.isTTY === true && TERM !== 'dumb';
}

function same(text: string): string {
  return text;
}
