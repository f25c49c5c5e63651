import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Description } from './description.ts';

/** What a request is answered with in place of what it asked for. */
export interface Fault {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly message?: string;
  /** No answer at all: the connection breaks, or stays silent. */
  readonly line?: 'reset' | 'silent';
  /** The request is carried out before that. */
  readonly isDone?: boolean;
}

/** A request as it came. */
export interface Seen {
  /** As in `issues/create-comment`. */
  readonly id: string;
  readonly body: Record<string, unknown> | undefined;
  readonly query: URLSearchParams;
  readonly at: number;
}

/** A comment that is there. */
export interface StoredComment {
  readonly id: number;
  body: string;
  readonly user: { readonly login: string; readonly id: number; readonly type: string };
}

/** A stand-in for GitHub: one repository in memory. */
export interface GithubServer {
  readonly url: string;
  readonly requests: Seen[];
  /** What was wrong with requests, or with the stand-in's own answers, by GitHub's description. */
  readonly complaints: string[];
  comments: StoredComment[];
  readonly checks: { id: number; annotations: unknown[]; fields: Record<string, unknown> }[];
  readonly pulls: object[];
  /** Whose the token is. */
  user: StoredComment['user'];
  /** The next requests of an operation fail so. */
  fail(id: string, ...faults: Fault[]): void;
  /** Called before an operation is carried out. */
  before: (id: string) => void;
  /** Back to the beginning. */
  reset(): void;
  close(): Promise<void>;
}

export const BOT = { login: 'github-actions[bot]', id: 41_898_282, type: 'Bot' } as const;

/** @param token what every request has to come with */
export async function startGithub(description: Description, token: string): Promise<GithubServer> {
  const faults = new Map<string, Fault[]>();
  let nextId = 100;

  const server: GithubServer = {
    url: '',
    requests: [],
    complaints: [],
    comments: [],
    checks: [],
    pulls: [],
    user: BOT,
    before: () => undefined,
    fail: (id, ...some) => void faults.set(id, some),
    reset: () => {
      for (const all of [server.requests, server.checks, server.pulls]) all.length = 0;
      server.comments = [];
      server.user = BOT;
      server.before = () => undefined;
      faults.clear();
    },
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };

  const comment = (one: StoredComment): object =>
    description.example('issue-comment', { ...one, html_url: `https://github.com/o/r/pull/7#issuecomment-${one.id}` });
  const check = ({ id, annotations, fields }: GithubServer['checks'][number]): object => {
    const { output, ...rest } = fields;
    return description.example('check-run', {
      conclusion: null,
      ...rest,
      id,
      html_url: `https://github.com/o/r/runs/${id}`,
      output: { annotations_count: annotations.length },
    });
  };
  const page = (all: readonly object[], query: URLSearchParams, path: string, headers: Record<string, string>) => {
    const size = Number(query.get('per_page') ?? 30);
    const number = Number(query.get('page') ?? 1);
    if (number * size < all.length) {
      headers.link = `<${server.url}${path}?per_page=${size}&page=${number + 1}>; rel="next"`;
    }
    return all.slice((number - 1) * size, number * size);
  };

  /** What the operations do. */
  const carryOut = (
    { id, body = {}, query }: Seen,
    values: Record<string, string>,
    path: string,
  ): { status: number; headers: Record<string, string>; body?: unknown } => {
    const headers: Record<string, string> = {};
    const answer = (status: number, value?: unknown) => ({ status, headers, body: value });
    const missing = answer(404, {
      message: 'Not Found',
      documentation_url: 'https://docs.github.com/rest',
      status: '404',
    });
    switch (id) {
      case 'issues/list-comments':
        return answer(200, page(server.comments.map(comment), query, path, headers));
      case 'issues/create-comment': {
        const made = { id: nextId++, body: String(body.body), user: server.user };
        server.comments.push(made);
        return answer(201, comment(made));
      }
      case 'issues/update-comment':
      case 'issues/delete-comment': {
        const found = server.comments.find((one) => one.id === Number(values.comment_id));
        if (found === undefined) return missing;
        if (id === 'issues/update-comment') {
          found.body = String(body.body);
          return answer(200, comment(found));
        }
        server.comments = server.comments.filter((one) => one !== found);
        return answer(204);
      }
      case 'pulls/list': {
        const [owner, branch] = (query.get('head') ?? '').split(/:(.*)/s);
        const fitting = server.pulls.filter((one) => {
          const { head, state } = one as { head: { ref: string; user: { login: string } }; state: string };
          return head.ref === branch && head.user.login === owner && state === query.get('state');
        });
        return answer(
          200,
          fitting.map((one) => description.example('pull-request-simple', { requested_teams: [], ...one })),
        );
      }
      case 'pulls/get': {
        const found = server.pulls.find((one) => Reflect.get(one, 'number') === Number(values.pull_number));
        return found === undefined
          ? missing
          : answer(200, description.example('pull-request', { requested_teams: [], ...found }));
      }
      case 'checks/list-for-ref': {
        const fitting = server.checks.filter(
          ({ fields }) => fields.head_sha === values.ref && fields.name === query.get('check_name'),
        );
        return answer(200, { total_count: fitting.length, check_runs: fitting.map(check) });
      }
      case 'checks/create':
      case 'checks/update':
      case 'checks/get': {
        const found = server.checks.find((one) => one.id === Number(values.check_run_id));
        if (id !== 'checks/create' && found === undefined) return missing;
        const one = found ?? { id: nextId++, annotations: [], fields: {} };
        if (id === 'checks/get') return answer(200, check(one));
        if (found === undefined) server.checks.push(one);
        const { output, ...rest } = body as { output: { annotations: unknown[] } };
        one.fields = { ...one.fields, ...rest, output };
        one.annotations.push(...output.annotations);
        return answer(id === 'checks/create' ? 201 : 200, check(one));
      }
      default:
        return missing;
    }
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', server.url);
    const { method = '' } = request;
    const text = await readAll(request);
    const found = description.find(method, url.pathname);
    if (found === null) {
      server.complaints.push(`GitHub's description has no ${method} ${url.pathname}`);
      response.writeHead(404).end();
      return;
    }
    const { operation, values } = found;
    const body = text === '' ? undefined : JSON.parse(text);
    const seen: Seen = { id: operation.id, body, query: url.searchParams, at: performance.now() };
    server.requests.push(seen);
    server.complaints.push(
      ...operation.checkRequest({ path: values, query: url.searchParams, body }),
      ...checkHeaders(request, token, text !== ''),
      ...checkLimits(body),
    );
    server.before(operation.id);
    const fault = faults.get(operation.id)?.shift();
    if (fault?.isDone === true) carryOut(seen, values, url.pathname);
    if (fault?.line === 'silent') return;
    if (fault?.line === 'reset') {
      request.socket.destroy();
      return;
    }
    const answer =
      fault === undefined
        ? carryOut(seen, values, url.pathname)
        : {
            status: fault.status ?? 500,
            headers: fault.headers ?? {},
            body: { message: fault.message ?? 'Server Error', documentation_url: 'https://docs.github.com/rest' },
          };
    if (answer.status < 500) server.complaints.push(...operation.checkAnswer(answer.status, answer.body));
    response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8', ...answer.headers });
    response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
  };

  const http = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      server.complaints.push(String(error));
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return Object.assign(server, { url: `http://127.0.0.1:${port}` });
}

/** "Getting started with the REST API": what every request has to say. */
function checkHeaders({ headers }: IncomingMessage, token: string, hasBody: boolean): string[] {
  const wanted: [string, RegExp][] = [
    ['accept', /^application\/vnd\.github\+json$/],
    ['x-github-api-version', /^2022-11-28$/],
    ['user-agent', /^ksym-matrix\b/],
    ['authorization', new RegExp(`^(token|bearer) ${token}$`, 'i')],
    ...(hasBody ? [['content-type', /^application\/json/] as [string, RegExp]] : []),
  ];
  return wanted.flatMap(([name, form]) =>
    form.test(String(headers[name])) ? [] : [`header ${name}: ${headers[name]}`],
  );
}

/** What GitHub enforces beyond its description. */
function checkLimits(body: unknown): string[] {
  if (typeof body !== 'object' || body === null) return [];
  const { output, body: text } = body as { output?: { summary?: string; text?: string }; body?: string };
  const complaints: string[] = [];
  if (text !== undefined && text.length > 65_536) complaints.push('Body is too long (maximum is 65536 characters)');
  for (const part of [output?.summary, output?.text]) {
    if (Buffer.byteLength(part ?? '') > 65_535) complaints.push('a text of the check run has more than 65535 bytes');
  }
  return complaints;
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
