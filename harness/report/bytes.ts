/** Bytes for people, in SI units: "35 MB", "1.2 GB"; below a megabyte in kilobytes. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e7) return `${(bytes / 1e6).toFixed(0)} MB`;
  if (bytes >= 1e5) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${Math.ceil(bytes / 1e3)} kB`;
}

/** Bytes of a size with a unit: `5GB`, `500 MB`, `1.5GiB`, `0B`, in any case of letters; null if it is no such text. */
export function parseBytes(text: string): number | null {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?([kMGT]i?B|B)$/i.exec(text.trim()) ?? [];
  if (number === undefined) return null;
  const power = 'BKMGT'.indexOf(unit.slice(0, 1).toUpperCase());
  return Math.floor(Number(number) * (/i/i.test(unit) ? 1024 : 1000) ** power);
}
