// The API of the service, asked with the reader's token where there is one.

import { has, text } from './texts.js';

const TOKEN = 'token';

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN),
};

/** What went wrong: the kind, the status, and words for people. */
export class ApiError extends Error {
  constructor(kind, status, problem = {}) {
    super(kind);
    this.kind = kind;
    this.status = status;
    const known = has(`problem_${kind}`);
    this.plain = text(known ? `problem_${kind}` : 'problem_other', { columns: (problem.columns ?? []).join(', '), cell: problem.cell ?? '' });
    this.detail = known ? null : problem.detail ?? null;
  }

  /** Of a problem document (RFC 9457), or of whatever a proxy answered instead. */
  static of(status, body) {
    try {
      const problem = JSON.parse(body);
      return new ApiError(String(problem.type).replace('urn:problem:', ''), status, problem);
    } catch {
      return new ApiError('other', status, { detail: `HTTP ${status}` });
    }
  }
}

let onUnauthorized = () => {};

/** Calls this whenever the service asks for a token. */
export function whenUnauthorized(listener) {
  onUnauthorized = listener;
}

function failed(status, body) {
  if (status === 401) onUnauthorized();
  return ApiError.of(status, body);
}

/** An answer that is a yes; whatever else comes is thrown. */
export async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  if (token.get()) headers.set('Authorization', `Bearer ${token.get()}`);
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('unreachable', 0);
  }
  if (!answer.ok) throw failed(answer.status, await answer.text().catch(() => ''));
  return answer;
}

/** The JSON of an answer. */
export async function json(path, options) {
  const answer = await request(path, options);
  try {
    return await answer.json();
  } catch {
    throw new ApiError('unreachable', answer.status);
  }
}

/**
 * Uploads a file to be looked at. `onProgress` is told how many bytes of the
 * whole are sent. Nothing is billed by it.
 */
export function preview(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append('file', file);
    // Only this tells how much of a body is sent; fetch does not.
    const call = new XMLHttpRequest();
    call.open('POST', '/v1/uploads/preview');
    if (token.get()) call.setRequestHeader('Authorization', `Bearer ${token.get()}`);
    call.upload.addEventListener('progress', (event) => onProgress(event.loaded, event.total));
    call.addEventListener('load', () => {
      if (call.status === 200) resolve(JSON.parse(call.responseText));
      else reject(failed(call.status, call.responseText));
    });
    call.addEventListener('error', () => reject(new ApiError('upload_broke', 0)));
    call.addEventListener('abort', () => reject(new DOMException('stopped', 'AbortError')));
    signal.addEventListener('abort', () => call.abort());
    call.send(form);
  });
}

/** Bills what was looked at: one import, however often it is asked for. */
export const bill = (previewId) => json(`/v1/upload?preview=${previewId}`, { method: 'POST' });

/**
 * Lets a link fetch what it points to with the token, which the browser by
 * itself would not send. Without a token the link is left alone.
 */
export function fetchWithToken(link, fileName, onError) {
  link.addEventListener('click', async (event) => {
    if (!token.get()) return;
    event.preventDefault();
    try {
      const answer = await request(link.getAttribute('href'));
      const address = URL.createObjectURL(await answer.blob());
      const download = document.createElement('a');
      download.href = address;
      download.download = fileName();
      download.click();
      // The browser has taken the address by then.
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      onError(error instanceof ApiError ? error : new ApiError('unreachable', 0));
    }
  });
}
