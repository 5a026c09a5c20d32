import { statSync } from 'node:fs';
import type { ServerResponse } from 'node:http';

/** Breaks the connection once the client has `bytes` of the file on disk: what it has only read it may lose. */
export function breakOffAt(bytes: number, file: string, response: ServerResponse): void {
  const timer = setInterval(() => {
    if ((statSync(`${file}.part`, { throwIfNoEntry: false })?.size ?? 0) < bytes) return;
    clearInterval(timer);
    response.destroy();
  }, 20);
}
