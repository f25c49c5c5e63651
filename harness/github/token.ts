import { closeSync, readFileSync } from 'node:fs';
import { ExplainedError } from '../../loader/errors.ts';

/** Variables that a token is looked for in, the first that is set. */
export const TOKEN_VARIABLES = ['GITHUB_TOKEN', 'GH_TOKEN'] as const;

/**
 * Takes the token from where nobody else reads it: a file descriptor that the caller opened, or a variable of the environment, which it is removed from,
 * so that no child process inherits it. There is no option for the token itself: a command line is for everybody on the machine to read.
 *
 * @param env the environment, `process.env` as a rule; changed
 * @param descriptor a file descriptor to read it from in place of `env`; closed afterwards
 * @throws ExplainedError `github-no-token`, `github-token-bad`
 */
export function takeToken(env: Record<string, string | undefined>, descriptor?: number): string {
  const given = TOKEN_VARIABLES.map((name) => env[name]?.trim()).find((value) => value !== undefined && value !== '');
  for (const name of TOKEN_VARIABLES) delete env[name];
  const token = descriptor === undefined ? given : readDescriptor(descriptor);
  if (token === undefined || token === '') {
    throw new ExplainedError('github-no-token', 'there is no token for GitHub', {
      why: descriptor === undefined ? `none of ${TOKEN_VARIABLES.join(', ')} is set` : 'the file descriptor is empty',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how a workflow writes it
      fix: 'In a workflow, give the step `env: GITHUB_TOKEN: ${{ github.token }}`; or see with --dry-run what would be sent.',
    });
  }
  // It becomes a header: anything else could end that and begin another.
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new ExplainedError('github-token-bad', 'what was given as a token for GitHub is none', {
      why: 'it has characters that no token has',
    });
  }
  return token;
}

/**
 * Makes a text fit to be shown, on one line: the token and whatever else looks like one, or like a header that carries one, is replaced, and so are
 * control characters, since what strangers and servers say ends up on a terminal, or in a log where a line may be a command to the runner
 * ("Workflow commands for GitHub Actions").
 */
export function redact(text: string, token: string): string {
  const known = token === '' ? text : text.replaceAll(token, HIDDEN);
  return known
    .replace(/\b(gh[a-z]_|github_pat_)[\w.-]+/g, HIDDEN)
    .replace(/\b(authorization["']?\s*[:=]\s*["']?)?(bearer|token|basic)\s+[\w.~+/=-]{16,}/gi, HIDDEN)
    .replace(/\s+/g, ' ')
    .replaceAll('##[', '## [')
    .replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '\ufffd');
}

const HIDDEN = '[hidden]';

function readDescriptor(descriptor: number): string {
  try {
    const text = readFileSync(descriptor, 'utf8').trim();
    closeSync(descriptor);
    return text;
  } catch (cause) {
    throw new ExplainedError('github-no-token', 'there is no token for GitHub', {
      where: `file descriptor ${descriptor}`,
      why: cause instanceof Error ? cause.message : String(cause),
    });
  }
}
