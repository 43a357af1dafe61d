// Following an import over its server-sent events. The browser's EventSource
// sends no token, so the stream is read here.

import { json, request } from './api.js';

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 10_000;
// The service says something at least every 15 seconds.
const LONGEST_SILENCE = 40_000;
// For so long a new import may not be known yet.
const YOUNG = 30_000;

/**
 * Tells of an import until its end, or until the signal is aborted. Where the
 * connection breaks it asks for the import now and then until the events are
 * back. `onConnection` is told whether there is a connection.
 */
export async function follow(importId, { signal, onImport, onConnection }) {
  const path = `/v1/imports/${encodeURIComponent(importId)}`;
  const young = Date.now() + YOUNG;
  const isFinal = (error) => (error.status === 404 && Date.now() > young) || error.status === 401;
  let pause = FIRST_PAUSE;
  for (;;) {
    try {
      for await (const { event, data } of events(`${path}/events`, signal)) {
        pause = FIRST_PAUSE;
        onConnection(true);
        onImport(JSON.parse(data));
        if (event === 'end') return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
    }
    try {
      const seen = await json(path, { signal });
      onImport(seen);
      if (seen.over && !(seen.erasure && !seen.erasure.erased_at)) {
        onConnection(true);
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
      // A young import that is not known yet is no broken connection.
      if (error.status !== 404) onConnection(false);
    }
    await waited(pause, signal);
    if (signal.aborted) return;
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

/** The events of a stream (HTML Living Standard, 9.2.6), as far as this service uses them. */
async function* events(path, signal) {
  const silence = new AbortController();
  const stop = () => silence.abort();
  signal.addEventListener('abort', stop);
  let timer = setTimeout(stop, LONGEST_SILENCE);
  try {
    const answer = await request(path, { signal: silence.signal, headers: { Accept: 'text/event-stream' } });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(stop, LONGEST_SILENCE);
      const blocks = (unread + value).split('\n\n');
      unread = blocks.pop();
      for (const block of blocks) {
        const field = (name) => block.split('\n').filter((line) => line.startsWith(`${name}:`))
          .map((line) => line.slice(name.length + 1).trimStart()).join('\n');
        if (field('data')) yield { event: field('event'), data: field('data') };
      }
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    silence.abort();
  }
}

function waited(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
