import { type ByteOrder, ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';

/**
 * A string table (SHT_STRTAB). Names may share their ends, as linkers have them do; but each name becomes text of its own, so that
 * a damaged file of 1 MB, whose symbols are all named by ends of one long string, would take more memory than there is.
 */
export class NameTable {
  readonly #reader: ByteReader;
  #long = 0;

  constructor(bytes: Uint8Array, byteOrder: ByteOrder, section: string) {
    this.#reader = new ByteReader(bytes, byteOrder, section);
  }

  /** The name that starts at an offset. Throws {@link FormatError} `out-of-range`, `unterminated-string`, `elf-names`. */
  at(offset: number): string {
    const name = this.#reader.seek(offset).cstring();
    if (name.length <= LONG) return name;
    this.#long += name.length;
    if (this.#long <= COST_FACTOR * this.#reader.length) return name;
    throw new FormatError('elf-names', 'too many long names share their ends', this.#reader.at(offset), {
      why: `those over ${LONG} characters are more than ${COST_FACTOR} times as long as their table together`,
    });
  }
}

/** KSYM_NAME_LEN of the kernel; the mangled names of some languages are longer. */
const LONG = 512;

/** How often a table may be read over, in long names. */
const COST_FACTOR = 16;
