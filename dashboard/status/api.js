// The documented API, with the browser's session.
import { lang } from './format.js';

// Refused is what the API says no with: its words are already the reader's.
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || String(status));
    Object.assign(this, { status, code: problem.code, title: problem.title, detail: problem.detail });
  }
}

export async function call(method, path, body) {
  const headers = { 'Accept-Language': lang() };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method === 'POST' && crypto.randomUUID) headers['Idempotency-Key'] = crypto.randomUUID();
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  let answer = {};
  try { answer = text ? JSON.parse(text) : {}; } catch { /* a proxy's page */ }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

// follow reads /v1/events until it ends, and calls on(name, data) for each event. It returns the last id that it saw.
export async function follow(lastID, signal, opened, on) {
  const headers = { 'Accept-Language': lang() };
  if (lastID) headers['Last-Event-ID'] = lastID;
  const response = await fetch('/v1/events', { headers, signal });
  if (!response.ok) throw new Refused(response.status, {});
  opened();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let id = lastID;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return id;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const event = Object.fromEntries(block.split('\n').filter((line) => line && !line.startsWith(':')).map((line) => line.split(/: (.*)/s).slice(0, 2)));
      if (event.id) id = event.id;
      on(event.event, event.data ? JSON.parse(event.data) : undefined, id);
    }
  }
}
