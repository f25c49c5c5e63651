import { showOnOneLine } from './formats/control-characters.ts';

/** A word, and how it is painted. */
export interface Word {
  readonly text: string;
  readonly paint: (text: string) => string;
}

/** A text's words, painted alike; what would steer a terminal is shown instead. */
export function words(text: string, paint: (text: string) => string = unpainted): Word[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => ({ text: showOnOneLine(word), paint }));
}

function unpainted(text: string): string {
  return text;
}

/** Words in lines of a width at most, as far as a word is not longer; lines are indented, the first one by less if wanted. */
export function flow(all: readonly Word[], width: number, indent: number, firstIndent: number = indent): string[] {
  const lines: Word[][] = [[]];
  let columns = firstIndent;
  for (const word of all) {
    const own = word.text.length;
    const line = lines.at(-1) ?? [];
    if (line.length > 0 && columns + 1 + own > width) {
      lines.push([word]);
      columns = indent + own;
    } else {
      columns += own + (line.length > 0 ? 1 : 0);
      line.push(word);
    }
  }
  return lines.map((line, index) => `${' '.repeat(index === 0 ? firstIndent : indent)}${paintLine(line)}`);
}

/** Neighbours of one paint are painted at once. */
function paintLine(line: readonly Word[]): string {
  const runs: { texts: string[]; paint: Word['paint'] }[] = [];
  for (const { text, paint } of line) {
    const last = runs.at(-1);
    if (last?.paint === paint) last.texts.push(text);
    else runs.push({ texts: [text], paint });
  }
  return runs.map(({ texts, paint }) => paint(texts.join(' '))).join(' ');
}
