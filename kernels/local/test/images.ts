/** What {@link makeImage} puts into a header. */
export interface ImageOptions {
  /** Flags of the boot protocol: 1 for a 64-bit kernel. */
  readonly loadFlags?: number;
  readonly protocol?: number;
  /** What follows the release. */
  readonly version?: string;
  /** The packed kernel. Default: 4096 bytes of nothing. */
  readonly payload?: Buffer;
}

/** A file with the header of a bzImage (Documentation/arch/x86/boot.rst), and nothing behind it that would run. */
export function makeImage(release: string, options: ImageOptions = {}): Buffer {
  const {
    loadFlags = 1,
    protocol = 0x20f,
    version = '(somebody@somewhere) #1 SMP today',
    payload = Buffer.alloc(4096, 0x90),
  } = options;
  const setupSectors = 3;
  const size = Math.ceil(payload.length / 16) * 16;
  const image = Buffer.alloc((setupSectors + 1) * 512 + size);
  payload.copy(image, (setupSectors + 1) * 512);
  image[0x1f1] = setupSectors;
  image.writeUInt32LE(size / 16, 0x1f4);
  image.writeUInt16LE(0xaa55, 0x1fe);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt16LE(protocol, 0x206);
  image.writeUInt16LE(0x300, 0x20e);
  image.writeUInt16LE(loadFlags, 0x236);
  image.writeUInt32LE(payload.length, 0x24c);
  image.write(`${release} ${version}\0`, 0x500, 'latin1');
  return image;
}
