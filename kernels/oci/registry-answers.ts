import { z } from 'zod';
import { compareVersions } from '../debian/version.ts';

/** The tags that a registry lists; none if it says something else. */
export function readTags(body: Buffer): readonly string[] {
  return read(z.object({ tags: z.array(z.string()).nullable() }), body.toString('utf8'))?.tags ?? [];
}

/** The token that an issuer gives, under either of its two names. */
export function readToken(body: Buffer): string | undefined {
  const schema = z.object({ token: z.string().optional(), access_token: z.string().optional() });
  const answer = read(schema, body.toString('utf8'));
  const token = answer?.token ?? answer?.access_token;
  // What has line breaks would become other header fields.
  return token !== undefined && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
}

/** What a registry says of an error: "Error Codes" of the distribution-spec. */
export function readMessage(body: string): string {
  const error = z.object({ code: z.string().optional(), message: z.string().optional() });
  const [first] = read(z.object({ errors: z.array(error) }), body)?.errors ?? [];
  return first === undefined ? '' : [first.code, first.message].filter((part) => (part ?? '') !== '').join(': ');
}

/** Some of the tags, the ones that begin like the wanted one first, then the newest. */
export function showTags(tags: readonly string[], wanted: string): string {
  const isNear = (tag: string): boolean => tag.startsWith(wanted) || wanted.startsWith(tag);
  const sorted = [...tags].sort(
    (left, right) => Number(isNear(right)) - Number(isNear(left)) || compareVersions(right, left),
  );
  const shown = sorted.slice(0, SHOWN).join(', ');
  return sorted.length > SHOWN ? `${shown} and ${sorted.length - SHOWN} more` : shown;
}

const SHOWN = 20;

function read<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
