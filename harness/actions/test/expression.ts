/** What an expression may look at: `inputs`, `github`, `steps` and so on, as nested objects. */
export type Contexts = Readonly<Record<string, unknown>>;

/** How a job stands, for `success()` and the like. */
export interface JobStatus {
  readonly failed: boolean;
  readonly cancelled?: boolean;
}

type Value = string | number | boolean | null;

/**
 * Replaces each `${{ … }}` of a text by its value, as a runner does (GitHub's documentation: "Evaluate expressions in workflows and actions").
 * As much of the language as this project's actions use; anything else throws.
 */
export function interpolate(text: string, contexts: Contexts, status: JobStatus): string {
  return text.replaceAll(/\$\{\{(.*?)\}\}/gs, (_, expression: string) =>
    asText(evaluate(expression, contexts, status)),
  );
}

/** Whether a step with this `if` runs. Without a status function in it, only where nothing has failed. */
export function condition(text: string | undefined, contexts: Contexts, status: JobStatus): boolean {
  const expression = (text ?? 'success()').trim().replace(/^\$\{\{(.*)\}\}$/s, '$1');
  const asked = /\b(always|success|failure|cancelled)\s*\(/.test(expression);
  if (!asked && (status.failed || status.cancelled === true)) return false;
  return isTrue(evaluate(expression, contexts, status));
}

function evaluate(expression: string, contexts: Contexts, status: JobStatus): Value {
  const tokens = expression.match(TOKEN) ?? [];
  if (tokens.join('') !== expression.replaceAll(/\s+(?=(?:[^']*'[^']*')*[^']*$)/g, '')) {
    throw new Error(`not understood: ${expression}`);
  }
  let at = 0;
  const take = (token: string): boolean => {
    if (tokens[at] !== token) return false;
    at++;
    return true;
  };
  const or = (): Value => {
    let left = and();
    while (take('||')) {
      const right = and();
      left = isTrue(left) ? left : right;
    }
    return left;
  };
  const and = (): Value => {
    let left = equality();
    while (take('&&')) {
      const right = equality();
      left = isTrue(left) ? right : left;
    }
    return left;
  };
  const equality = (): Value => {
    const left = unary();
    if (take('==')) return equal(left, unary());
    if (take('!=')) return !equal(left, unary());
    return left;
  };
  const unary = (): Value => (take('!') ? !isTrue(unary()) : primary());
  const primary = (): Value => {
    const token = tokens[at++];
    if (token === undefined) throw new Error(`ends too early: ${expression}`);
    if (token === '(') {
      const value = or();
      if (!take(')')) throw new Error(`no closing parenthesis: ${expression}`);
      return value;
    }
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (/^\d/.test(token)) return Number(token);
    if (token === 'true' || token === 'false') return token === 'true';
    if (take('(')) {
      if (!take(')')) throw new Error(`arguments are not understood: ${expression}`);
      return statusFunction(token, status);
    }
    return lookUp(token, contexts);
  };
  const value = or();
  if (at !== tokens.length) throw new Error(`not understood: ${expression}`);
  return value;
}

const TOKEN = /'(?:[^']|'')*'|[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*|\d+|\|\||&&|==|!=|[!()]/g;

function statusFunction(name: string, { failed, cancelled = false }: JobStatus): boolean {
  if (name === 'always') return true;
  if (name === 'success') return !failed && !cancelled;
  if (name === 'failure') return failed;
  if (name === 'cancelled') return cancelled;
  throw new Error(`no function ${name}`);
}

/** A part that is not there is null; a context that is not there is a mistake. */
function lookUp(path: string, contexts: Contexts): Value {
  const [first = '', ...rest] = path.split('.');
  if (!(first in contexts)) throw new Error(`no context ${first}`);
  let value: unknown = contexts[first];
  for (const part of rest) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : null;
  }
  if (value === undefined || value === null) return null;
  if (typeof value === 'object') throw new Error(`${path} is no single value`);
  return value as Value;
}

function equal(left: Value, right: Value): boolean {
  if (typeof left === typeof right || left === null || right === null) {
    return asText(left).toLowerCase() === asText(right).toLowerCase();
  }
  return Number(left) === Number(right);
}

function isTrue(value: Value): boolean {
  return value !== null && value !== false && value !== '' && value !== 0;
}

function asText(value: Value): string {
  return value === null ? '' : String(value);
}
