/** @file The service on a port: who is heard for how long, and how it ends. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { InputError } from '../errors.js';

export interface ListenOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  /** Longest time that a request may take to arrive, s. */
  seconds: number;
}

export interface RunningServer {
  /** With the port that it listens at. */
  url: string;
  /** Answers what was asked before, for at most so many seconds, and no more. */
  close(seconds: number): Promise<void>;
}

/** Most connections at once; further ones are closed. */
const mostConnections = 2000;

/** Answers requests by `fetch`. @throws InputError where the address cannot be had. */
export async function listen(
  fetch: (request: Request, connection: HttpBindings) => Response | Promise<Response>,
  { host, port, seconds }: ListenOptions,
): Promise<RunningServer> {
  let closing = false;
  const server = createAdaptorServer({
    fetch: async (request, connection) => {
      const response = await fetch(request, connection as HttpBindings);
      if (closing) response.headers.set('Connection', 'close');
      return response;
    },
    overrideGlobalObjects: false,
    serverOptions: {
      headersTimeout: Math.min(10, seconds) * 1000,
      requestTimeout: seconds * 1000,
      connectionsCheckingInterval: 1000,
    },
  }) as Server;
  server.maxConnections = mostConnections;
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    throw new InputError(`${host}:${port}: ${whyNot(error as NodeJS.ErrnoException)}`);
  }
  const { port: given } = server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${name}:${given}/`,
    async close(grace) {
      closing = true;
      const timer = setTimeout(() => server.closeAllConnections(), grace * 1000);
      const closed = once(server, 'close');
      server.close();
      await closed;
      clearTimeout(timer);
    },
  };
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'another program listens there; choose another --port.';
  if (code === 'EACCES') return 'this port is not for everybody; choose a --port of 1024 or more.';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return 'this machine has no such address; choose another --host.';
  return message;
}
