/** How a registry wants to be asked. */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Lower-case names: `realm`, `service`, `scope`. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads a WWW-Authenticate header (RFC 9110, section 11.6.1), which may hold several challenges. What cannot be read is left out. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const [, scheme, name, quoted, token] of header.matchAll(PIECE)) {
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    const value = quoted?.replace(/\\(.)/g, '$1') ?? token;
    if (name !== undefined && value !== undefined) challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return challenges;
}

/** A parameter (`name=token` or `name="text"`), or a word that is none: a scheme. */
const PIECE = /([\w!#$%&'*+.^`|~-]+)(?=\s+[\w-]+\s*=|\s*(?:,|$))|([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;
