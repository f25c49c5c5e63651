import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Answers a request. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server on loopback. */
export interface TestServer {
  /** Address of its root, without a slash at the end. */
  readonly address: string;
  readonly server: Server;
  /** What it was asked, in order. */
  readonly seen: IncomingMessage[];
}

/** Starts a server that is gone when the test is. */
export async function serve(t: Pick<Test, 'teardown'>, handler: Handler): Promise<TestServer> {
  const seen: IncomingMessage[] = [];
  const server = createServer((message, response) => {
    seen.push(message);
    handler(message, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address: `http://127.0.0.1:${portOf(server)}`, server, seen };
}

/** The port of a server that listens. */
export function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Serves the files of a folder. */
export function serveFiles(root: string): Handler {
  return (message, response) => {
    const path = join(root, decodeURIComponent((message.url ?? '/').replace(/\?.*/, '')));
    if (!existsSync(path) || !statSync(path).isFile()) {
      response.writeHead(404).end('not here');
      return;
    }
    const content = readFileSync(path);
    response.writeHead(200, { 'content-length': content.length }).end(content);
  };
}
