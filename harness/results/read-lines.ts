import { open } from 'node:fs/promises';

/**
 * Reads JSON in the form that {@link resultsJson} gives it, line by line, because all of it may be longer than a string can be.
 *
 * @param check is given each item of a list as it is read, be it on a line of its own or not, with the name of the list, and gives back what is kept of it
 * @returns the parts by name; undefined if the file has another form
 * @throws SyntaxError of a line that is no JSON; what `check` throws; errors of reading
 */
export async function readByLine(
  path: string,
  check: (list: string, item: unknown) => unknown,
): Promise<Record<string, unknown> | undefined> {
  // Without a prototype, so that no name in the file is more than a name.
  const parts: Record<string, unknown> = Object.create(null);
  let list: { readonly name: string; readonly items: unknown[] } | undefined;
  let began = false;
  let ended = false;
  for await (const line of lines(path)) {
    if (!began) {
      if (line !== '{') return undefined;
      began = true;
    } else if (ended) {
      if (line !== '') return undefined;
    } else if (list !== undefined) {
      if (/^\],?$/.test(line)) {
        parts[list.name] = list.items;
        list = undefined;
      } else list.items.push(check(list.name, JSON.parse(withoutComma(line))));
    } else if (line === '}') ended = true;
    else {
      const opened = /^"(\w+)": \[$/.exec(line)?.[1];
      if (opened !== undefined) list = { name: opened, items: [] };
      else if (/^"\w+": /.test(line)) {
        for (const [name, value] of Object.entries<unknown>(JSON.parse(`{${withoutComma(line)}}`))) {
          parts[name] = Array.isArray(value) ? value.map((item: unknown) => check(name, item)) : value;
        }
      } else return undefined;
    }
  }
  return ended ? parts : undefined;
}

function withoutComma(line: string): string {
  return line.endsWith(',') ? line.slice(0, -1) : line;
}

const CHUNK = 1 << 20;

const NEWLINE = 0x0a;

async function* lines(path: string): AsyncGenerator<string> {
  const file = await open(path);
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK);
      if (bytesRead === 0) break;
      let from = 0;
      const chunk = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
        yield chunk.toString('utf8', from, end);
        from = end + 1;
      }
      rest = chunk.subarray(from);
    }
    if (rest.length > 0) yield rest.toString('utf8');
  } finally {
    await file.close();
  }
}
