/** A way to a PostgreSQL server that is cut at one statement, as when the program that asks is killed there. */
import { createServer, connect, type Socket } from 'node:net';

export interface CutOff {
  /** Statements so far. */
  count: number;
  /** Which statement is cut, the first being 1; 0: none. `before`: it never arrives; `after`: its answer never does. */
  at: number;
  phase: 'before' | 'after';
  port: number;
  stop(): Promise<void>;
}

export async function cutOff(target: { host: string; port: number }): Promise<CutOff> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const database = connect(target);
    let silent = false;
    const end = () => {
      client.destroy();
      database.destroy();
    };
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', end);
    }
    const statements = statementCounter();
    client.on('data', (data) => {
      for (const { bytes, ends } of statements(data)) {
        if (silent) return;
        if (ends) way.count++;
        const isCut = ends && way.count === way.at;
        if (isCut && way.phase === 'before') return end();
        database.write(bytes);
        if (isCut) silent = true;
      }
    });
    database.on('data', (data) => {
      if (silent) end();
      else client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const way: CutOff = {
    count: 0,
    at: 0,
    phase: 'before',
    port: (server.address() as { port: number }).port,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return way;
}

/** Parts of what a client sends, each up to the end of one of its messages; a statement ends with Query or Sync. */
function statementCounter(): (data: Buffer) => { bytes: Buffer; ends: boolean }[] {
  let rest: Buffer = Buffer.alloc(0);
  let started = false; // the first message has no type
  return (data) => {
    rest = Buffer.concat([rest, data]);
    const parts: { bytes: Buffer; ends: boolean }[] = [];
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return parts;
      const length = head + rest.readUInt32BE(head);
      if (rest.length < length) return parts;
      const type = started ? String.fromCharCode(rest[0]) : '';
      parts.push({ bytes: rest.subarray(0, length), ends: type === 'Q' || type === 'S' });
      rest = rest.subarray(length);
      started = true;
    }
  };
}
