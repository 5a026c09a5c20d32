/** PostgreSQL with pgvector in this process, behind a socket. */
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

export interface Postgres {
  /** Address of a table of it. */
  address(table: string, options?: string): string;
  /** Runs SQL beside what the tests do. */
  run(sql: string): Promise<unknown>;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<Postgres> {
  const db = await PGlite.create({ extensions: { vector } });
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 20 });
  await server.start();
  return {
    address: (table, options = '') => `postgres://postgres@${server.getServerConn()}/postgres?table=${table}${options}`,
    run: (sql) => db.exec(sql),
    stop: async () => {
      await server.stop();
      await db.close();
    },
  };
}
