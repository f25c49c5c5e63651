import { existsSync, readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { cacheDirectory } from '../../../kernels/cache-directory.ts';
import { githubDescriptionPath } from '../../setup/github-description.ts';

/** An operation of GitHub's REST API, as GitHub's own OpenAPI description has it. */
export interface Operation {
  readonly id: string;
  readonly method: string;
  /** With `{parameters}`. */
  readonly path: string;
  /** Complaints about a request, empty if it follows the description. */
  checkRequest(parts: {
    readonly path: Record<string, string>;
    readonly query: URLSearchParams;
    readonly body: unknown;
  }): string[];
  /** Complaints about an answer. */
  checkAnswer(status: number, body: unknown): string[];
}

/** GitHub's description: the operations that are used, examples, and the payloads of events. */
export interface Description {
  /** The operation for a request and the values in its path; null if there is none. */
  find(method: string, path: string): { readonly operation: Operation; readonly values: Record<string, string> } | null;
  /** An example out of the description, of which some parts are replaced. */
  example(name: string, changes?: object): Record<string, unknown>;
  /** Complaints about the payload of an event, such as `workflow-run-completed`. */
  checkEvent(name: string, payload: unknown): string[];
  /** The least payload that the description allows for an event, of which some parts are replaced. */
  event(name: string, changes: object): Record<string, unknown>;
}

type Json = Record<string, unknown>;

/** Reads the description that `ksym-matrix setup --tests` fetched: 13 MB, of which only what is asked for is looked at. */
export function readDescription(): Description {
  const file = githubDescriptionPath(cacheDirectory());
  if (!existsSync(file)) throw new Error(`${file} is not there: run \`ksym-matrix setup --tests\``);
  const whole = json(JSON.parse(readFileSync(file, 'utf8')));
  const components = json(whole.components);
  const ajv = new Ajv({ strict: false, validateSchema: false, allErrors: true, formats: FORMATS });
  const schemas = json(components.schemas);
  const validators = new Map<string, ValidateFunction>();
  /** By a name of its own, since compiling takes the most time. */
  const check = (name: string, schema: () => unknown, value: unknown): string[] => {
    const validate = validators.get(name) ?? ajv.compile(withDefinitions(schema(), schemas));
    validators.set(name, validate);
    if (validate(value) === true) return [];
    return (validate.errors ?? []).map(
      (one) => `${name}${one.instancePath}: ${one.message} ${JSON.stringify(one.params)}`,
    );
  };
  const resolve = (part: unknown): Json => {
    const reference = json(part).$ref;
    if (typeof reference !== 'string') return json(part);
    return reference
      .split('/')
      .slice(1)
      .reduce((at: Json, key) => json(at[key]), whole);
  };
  const operations = Object.entries(json(whole.paths)).flatMap(([path, methods]) =>
    Object.entries(json(methods)).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation: json(operation),
    })),
  );
  const eventSchema = (name: string): Json => {
    const { content } = json(json(json(json(whole['x-webhooks'])[name]).post).requestBody);
    return json(json(json(content)['application/json']).schema);
  };

  return {
    find: (method, path) => {
      for (const one of operations) {
        if (one.method !== method || one.path.split('/', 2)[1] !== path.split('/', 2)[1]) continue;
        const values = matchPath(one.path, path);
        if (values === null) continue;
        const id = String(one.operation.operationId);
        return {
          values,
          operation: {
            id,
            method,
            path: one.path,
            checkRequest: (parts) => {
              const parameters = list(one.operation.parameters).map(resolve);
              const complaints = checkParameters(parameters, parts, (name, schema, value) =>
                check(`${id} ${name}`, () => schema, value),
              );
              if (one.operation.requestBody === undefined) {
                return parts.body === undefined ? complaints : [...complaints, `${id}: a body where none belongs`];
              }
              const { content } = resolve(one.operation.requestBody);
              const schema = (): unknown => closed(json(json(content)['application/json']).schema);
              return [...complaints, ...check(`${id} body`, schema, parts.body)];
            },
            checkAnswer: (status, body) => {
              const answer = json(one.operation.responses)[status];
              if (answer === undefined) return [];
              const { content } = resolve(answer);
              if (content === undefined) return body === undefined ? [] : [`${id}: ${status} has no body`];
              return check(`${id} ${status}`, () => json(json(content)['application/json']).schema, body);
            },
          },
        };
      }
      return null;
    },
    example: (name, changes = {}) => json(merge(json(json(components.examples)[name]).value, changes)),
    checkEvent: (name, payload) => check(name, () => eventSchema(name), payload),
    event: (name, changes) => json(merge(least(eventSchema(name), resolve), changes)),
  };
}

/** Values of the path's parameters; null if it is another path. Static paths come before those with parameters in no particular order, and none of ours are alike. */
function matchPath(template: string, path: string): Record<string, string> | null {
  const [wanted, given] = [template.split('/'), path.split('/')];
  if (wanted.length !== given.length) return null;
  const values: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith('{')) values[part.slice(1, -1)] = decodeURIComponent(value);
    else if (part !== value) return null;
  }
  return values;
}

function checkParameters(
  parameters: readonly Json[],
  { path, query }: { readonly path: Record<string, string>; readonly query: URLSearchParams },
  check: (name: string, schema: unknown, value: unknown) => string[],
): string[] {
  const complaints: string[] = [];
  const known = new Set(parameters.filter((one) => one.in === 'query').map((one) => String(one.name)));
  for (const name of query.keys()) if (!known.has(name)) complaints.push(`there is no parameter ${name}`);
  for (const { name, in: place, required, schema } of parameters) {
    const text = place === 'path' ? path[String(name)] : query.get(String(name));
    if (text === undefined || text === null) {
      if (required === true) complaints.push(`${name} is missing`);
      continue;
    }
    const isNumber = json(schema).type === 'integer' && /^\d+$/.test(text);
    complaints.push(...check(String(name), schema, isNumber ? Number(text) : text));
  }
  return complaints;
}

/** The schema in words of JSON Schema, with all that it refers to. */
function withDefinitions(schema: unknown, schemas: Json): object {
  const definitions: Json = {};
  const translate = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(translate);
    if (typeof value !== 'object' || value === null) return value;
    const { nullable, example, examples, discriminator, description, ...rest } = json(value);
    const reference = rest.$ref;
    if (typeof reference === 'string') {
      const name = reference.slice('#/components/schemas/'.length);
      if (!(name in definitions)) {
        definitions[name] = true;
        definitions[name] = translate(schemas[name]);
      }
      return { $ref: `#/definitions/${name}` };
    }
    const plain = Object.fromEntries(
      Object.entries(rest).map(([key, one]) => [
        key,
        key === 'enum' || key === 'default' ? one : key === 'properties' ? properties(one) : translate(one),
      ]),
    );
    return nullable === true ? { anyOf: [{ type: 'null' }, plain] } : plain;
  };
  // A property may be called `description`, or `example`.
  const properties = (value: unknown): Json =>
    Object.fromEntries(Object.entries(json(value)).map(([name, one]) => [name, translate(one)]));
  const root = json(translate(schema));
  return { ...root, definitions };
}

/** The same, but that it has no other properties than those that are described: a slip in a name is found. */
function closed(schema: unknown): unknown {
  const { properties, items, ...rest } = json(schema);
  if (items !== undefined) return { ...rest, items: closed(items) };
  if (properties === undefined) return schema;
  const parts = Object.entries(json(properties)).map(([name, one]) => [name, closed(one)]);
  return { additionalProperties: false, ...rest, properties: Object.fromEntries(parts) };
}

/** The least value that a schema allows. */
function least(part: unknown, resolve: (part: unknown) => Json): unknown {
  const schema = resolve(part);
  if (schema.nullable === true) return null;
  if (schema.enum !== undefined) return list(schema.enum)[0];
  for (const key of ['oneOf', 'anyOf', 'allOf'])
    if (schema[key] !== undefined) return least(list(schema[key])[0], resolve);
  switch (schema.type) {
    case 'array':
      return [];
    case 'integer':
    case 'number':
      return 1;
    case 'boolean':
      return false;
    case 'string':
      return schema.format === 'date-time'
        ? '2026-01-31T12:00:00Z'
        : schema.format === 'uri'
          ? 'https://github.com/x'
          : 'x';
    default: {
      const properties = json(schema.properties ?? {});
      const required = list(schema.required ?? []).map(String);
      return Object.fromEntries(required.map((name) => [name, least(properties[name] ?? {}, resolve)]));
    }
  }
}

function merge(base: unknown, changes: unknown): unknown {
  if (typeof base !== 'object' || base === null || Array.isArray(base)) return changes;
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes)) return changes;
  const all = { ...base };
  for (const [key, value] of Object.entries(changes)) Reflect.set(all, key, merge(Reflect.get(all, key), value));
  return all;
}

function json(value: unknown): Json {
  if (typeof value !== 'object' || value === null) throw new TypeError(`no object: ${JSON.stringify(value)}`);
  return value as Json;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

const FORMATS = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  uri: (text: string) => URL.canParse(text),
  'uri-template': true,
  email: true,
  hostname: true,
  int64: true,
  int32: true,
  timestamp: true,
} as const;
