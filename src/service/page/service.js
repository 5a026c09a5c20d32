/** @file The service as the page asks it: by requests to where the page is from. */
import { element } from './query.js';

const retries = 3;

/** What the service refused, in its words. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Asks the service; a token is asked for where it is needed, and a full service is asked again.
 * @param {string} address
 * @param {RequestInit} [request]
 * @param {number} [left] times to ask again
 * @returns {Promise<unknown>}
 */
export async function ask(address, request = {}, left = retries) {
  const response = await fetch(address, request);
  if (response.ok) return response.json();
  if (response.status === 401) {
    await askForToken();
    return ask(address, request, left);
  }
  if (response.status === 429 && left > 0) {
    element('status').textContent = 'The service is busy: waiting for a place …';
    const seconds = Number(response.headers.get('retry-after') ?? 1);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * (1 + retries - left)));
    request.signal?.throwIfAborted();
    return ask(address, request, left - 1);
  }
  const { error } = await response.json().catch(() => ({ error: `The service answered ${response.status}.` }));
  throw new Refusal(response.status, error);
}

/** @type {Promise<void> | undefined} Ends when the token was right. */
let tokenAsked;

function askForToken() {
  tokenAsked ??= new Promise((resolve) => {
    const dialog = element('token', 'dialog');
    const text = element('token-text', 'input');
    const listening = new AbortController();
    /** @param {SubmitEvent} event */
    const send = async (event) => {
      event.preventDefault();
      const headers = { Authorization: `Bearer ${text.value.trim()}` };
      const { ok } = await fetch('session', { method: 'POST', headers }).catch(() => ({ ok: false }));
      element('token-error').textContent = ok ? '' : 'This token is not the right one.';
      if (!ok) return text.select();
      text.value = '';
      listening.abort();
      dialog.close();
      tokenAsked = undefined;
      resolve();
    };
    element('token-form', 'form').addEventListener('submit', (event) => void send(event), { signal: listening.signal });
    dialog.showModal();
  });
  return tokenAsked;
}
element('token', 'dialog').addEventListener('cancel', (event) => event.preventDefault());
