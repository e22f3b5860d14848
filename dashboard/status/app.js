// The page: what is known, how it stays true, and what a person can do.
import { Refused, call, follow } from './api.js';
import { h, icon, morph, styles } from './dom.js';
import { company, compare, badgeOf, loading, page, progress, progressText, signIn } from './view.js';
import { code, hasLine, line } from './words.js';
import { label } from './labels.js';

const app = document.getElementById('app');
const s = {
  me: null, integrations: [], runs: [], incidents: [], order: [],
  live: 'connecting', readAt: new Date(), landing: null, wanted: null, busy: new Set(), opening: '', doorError: '', ready: false,
  demo: document.body.dataset.demo === 'true', providers: JSON.parse(document.body.dataset.providers),
};

/* painting */

const paintEvery = 250; // ms: four times a second is enough to read
let painted = 0;
let due = 0;
let focusFirst = false; // once the page is there

function paint() {
  if (due) return;
  due = setTimeout(() => requestAnimationFrame(() => {
    due = 0;
    painted = performance.now();
    show(!s.ready ? loading() : s.me ? page(s) : signIn(s));
  }), Math.max(0, painted + paintEvery - performance.now()));
}

function show(tree) {
  if (app.firstElementChild) morph(app.firstElementChild, tree);
  else app.append(tree);
  styles(app);
  if (focusFirst && s.ready && s.me) {
    focusFirst = false;
    (app.querySelector('.landing [data-first]') || app.querySelector('h1')).focus();
  }
  document.title = s.me ? `${label('integrations')} · enlace` : 'enlace';
}

function announce(text) { document.getElementById('announce').textContent = text; }

function toast(text) {
  const box = document.getElementById('toasts');
  const close = h('button', { type: 'button', class: 'btn ghost icon', 'aria-label': label('close') }, icon('close'));
  close.addEventListener('click', () => box.replaceChildren());
  box.replaceChildren(h('div', { class: 'toast' }, h('span', { class: 'grow' }, text), close));
}

function complain(err) {
  toast([err.title, err.detail].filter(Boolean).join('. ') || line('screens', 'offline', { at: s.readAt }).sentence);
}

/* what is known */

async function read() {
  const [integrations, runs, incidents] = await Promise.all([
    call('GET', '/v1/integrations?limit=200'), call('GET', '/v1/syncs?limit=100'), call('GET', '/v1/incidents?open=true&limit=50'),
  ]);
  s.integrations = integrations.items;
  s.runs = runs.items;
  s.incidents = incidents.items;
  const known = new Set(s.order);
  const fresh = s.integrations.filter((i) => !known.has(i.id)).sort(compare).map((i) => i.id);
  s.order = [...fresh, ...s.order];
  s.readAt = new Date();
  s.integrations.forEach(notice);
  s.ready = true;
  paint();
}

// noticed are the last words said of each account, so that a reader hears of a change once.
const noticed = new Map();

function notice(i) {
  const words = badgeOf(i);
  const quarter = i.run?.state === 'running' && i.run.percent ? Math.floor(progress(i.run).percent / 25) : 0;
  const heard = `${words.label} ${quarter}`;
  if (noticed.has(i.id) && noticed.get(i.id) !== heard) {
    announce(`${i.provider_title}, ${i.external_account_name || ''}: ${quarter ? progressText(i.run) : words.label}`);
  }
  noticed.set(i.id, heard);
}

let reading = null;

// readSoon reads all again, at most once a second.
function readSoon() {
  reading ??= setTimeout(async () => {
    reading = null;
    try { await read(); } catch (err) { lost(err); }
  }, 1000);
}

// heard takes in an event. They are hints: what ends or begins is read again.
function heard(name, data) {
  s.readAt = new Date();
  const i = s.integrations.find((one) => one.id === (name === 'run' ? data?.integration_id : data?.id));
  if (name === 'run' && i) {
    const row = s.runs.findIndex((run) => run.id === data.id);
    if (row >= 0) s.runs[row] = data;
    const same = i.run?.id === data.id;
    const changed = !same || i.run.state !== data.state;
    if (same) i.run = data;
    notice(i);
    if (changed || row < 0) readSoon();
  } else if (name === 'integration' || (name === 'run' && !i)) {
    readSoon();
  }
  paint();
}

/* live: a stream, else every five seconds */

const retryEvery = 5000;
let lastID = '';
let stream = null;

async function live() {
  stream?.abort();
  stream = new AbortController();
  const { signal } = stream;
  while (!signal.aborted && s.me) {
    try {
      lastID = await follow(lastID, signal, () => { s.live = 'live'; readSoon(); paint(); }, (name, data, id) => { lastID = id; heard(name, data); });
      continue; // it ends by itself once an hour
    } catch (err) {
      if (signal.aborted) return;
      lost(err);
      if (!s.me) return;
    }
    s.live = navigator.onLine ? 'polling' : 'offline';
    if (!document.hidden) await read().catch(lost);
    paint();
    await new Promise((resolve) => { setTimeout(resolve, retryEvery); });
  }
}

function lost(err) {
  if (err instanceof Refused && err.status === 401) {
    s.me = null;
    s.ready = true;
    stream?.abort();
  } else if (!(err instanceof Refused)) {
    s.live = 'offline';
  }
  paint();
}

document.addEventListener('visibilitychange', () => { if (!document.hidden && s.me) readSoon(); });
window.addEventListener('online', () => { if (s.me) readSoon(); });
setInterval(() => { if (!document.hidden && s.ready) paint(); }, 15000); // "3 min ago" grows old

/* asking first */

// ask shows a question of WORDS §9 and gives the number of the button; 0 is the safe one.
function ask(words) {
  return new Promise((resolve) => {
    const buttons = words.buttons.map((text, n) => h('button', { class: `btn ${n === words.buttons.length - 1 ? 'primary' : ''}`, value: n, autofocus: n === 0 }, text));
    const dialog = h('dialog', { 'aria-labelledby': 'question' }, h('form', { method: 'dialog' }, h('h2', { id: 'question' }, words.title), h('p', null, words.sentence), h('div', { class: 'row' }, buttons)));
    dialog.addEventListener('close', () => { dialog.remove(); resolve(Number(dialog.returnValue || 0)); });
    dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close('0'); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

const known = (i) => ({
  provider: i.provider_title, account: i.external_account_name || i.provider_title, n: i.contacts, total: i.contacts, at: i.next_sync_at ? new Date(i.next_sync_at) : undefined,
});

// sharing is another integration of the same account, if it is one that this page knows.
const sharing = (i) => s.integrations.find((one) => one.id !== i.id && one.provider === i.provider && one.external_account_id === i.external_account_id && one.state !== 'disconnected');

/* acts */

async function work(id, act) {
  s.busy.add(id);
  paint();
  try {
    await act();
    await read();
  } catch (err) {
    lost(err);
    if (err.status !== 401) complain(err);
  } finally {
    s.busy.delete(id);
    paint();
  }
}

const sync = (i, kind) => work(i.id, async () => {
  await call('POST', `/v1/integrations/${i.id}/syncs`, { sync_type: kind });
  if (s.landing?.integration_id === i.id) s.landing = null;
});

// connect leaves the page; it comes back with ?enlace_result=….
async function connect(provider, integration) {
  s.opening = provider;
  announce(label('opening', { provider: s.providers.find((p) => p.name === provider)?.title || provider }));
  await work(integration || provider, async () => {
    const session = await call('POST', '/v1/connect-sessions', { provider, integration_id: integration });
    location.assign(session.url);
  });
  s.opening = '';
  paint();
}

async function enter(path, body) {
  s.doorError = '';
  try {
    s.me = await call('POST', path, body);
    focusFirst = true;
    await begin();
  } catch (err) {
    s.doorError = err.status === 401 ? code('unauthorized', '', {}).sentence : err.message;
    paint();
  }
}

const acts = {
  sync: (i) => sync(i, 'incremental'),
  async full(i) {
    if (!i.contacts) return sync(i, 'full');
    const kind = [null, 'incremental', 'full'][await ask(line('confirmations', 'full_resync', known(i)))];
    return kind && sync(i, kind);
  },
  async cancel(i) {
    const run = i.run;
    const args = { ...known(i), n: run.records_synced, total: run.total_is_estimate ? undefined : run.records_total, duration: (Date.now() - new Date(run.started_at || run.created_at)) / 1000, eta: run.eta_seconds || undefined };
    if (await ask(line('confirmations', 'cancel_run', args)) === 1) await work(i.id, () => call('POST', `/v1/syncs/${run.id}/cancel`));
  },
  async pause(i) {
    if (await ask(line('confirmations', 'pause', known(i))) === 1) await work(i.id, () => call('PATCH', `/v1/integrations/${i.id}`, { paused: true }));
  },
  async disconnect(i) {
    if (await ask(line('confirmations', 'disconnect', known(i))) !== 1) return;
    await work(i.id, async () => {
      const { withdrawal } = await call('DELETE', `/v1/integrations/${i.id}`);
      if (withdrawal === 'failed') toast(label('withdrawalFailed', { provider: i.provider_title }));
      if (withdrawal === 'kept') toast(line('confirmations', 'disconnect_shared', { provider: i.provider_title, name: sharing(i)?.external_account_name }).sentence);
    });
  },
  resume: (i) => work(i.id, () => call('PATCH', `/v1/integrations/${i.id}`, { paused: false })),
  retry: (i) => work(i.id, () => call('POST', `/v1/syncs/${i.run.id}/retry`)),
  check: (i) => work(i.id, () => call('POST', `/v1/integrations/${i.id}/check`)),
  reconnect: (i) => connect(i.provider, i.id),
};

const plain = {
  connect: (provider) => connect(provider),
  demo: () => enter('/v1/session/demo', {}),
  leave: () => { s.landing = null; paint(); },
  theme() {
    const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    localStorage.setItem('enlace-theme', theme);
  },
  language() {
    const lang = document.documentElement.lang === 'es' ? 'en' : 'es';
    localStorage.setItem('enlace-lang', lang);
    location.reload(); // each language has its own words
  },
  async 'sign-out'() {
    try {
      await call('DELETE', '/v1/session');
    } catch (err) { // still signed in: whoever comes next must not be told otherwise
      complain(err);
      return;
    }
    Object.assign(s, { me: null, integrations: [], runs: [], incidents: [], order: [], landing: null });
    stream?.abort();
    paint();
  },
};

document.addEventListener('click', (event) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(event.target) || event.target.closest('.pop')) menu.open = false;
  const el = event.target.closest('button[data-act]');
  if (!el) return;
  const { act, id } = el.dataset;
  if (plain[act]) plain[act](id);
  else if (acts[act]) acts[act](s.integrations.find((i) => i.id === id));
});

document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    menu.open = false;
    menu.querySelector('summary').focus();
  }
});

document.addEventListener('submit', (event) => {
  if (event.target.dataset.act !== 'enter') return;
  event.preventDefault();
  enter('/v1/session', { api_key: event.target.elements.api_key.value });
});

/* coming in */

// arrive reads what a consent left in the address, and cleans it.
function arrive() {
  const query = new URLSearchParams(location.search);
  const result = query.get('enlace_result');
  const provider = query.get('provider');
  if (result) {
    const missing = query.get('missing');
    s.landing = {
      result: hasLine('landing', result) ? result : 'forged', provider, integration_id: query.get('integration_id'),
      retry_at: query.get('retry_at'), missing: missing && /^[\w:.\- ]{1,100}$/.test(missing) ? missing : null,
    };
  }
  s.wanted = query.get('enlace_connect');
  for (const name of ['enlace_result', 'enlace_connect', 'provider', 'integration_id', 'missing', 'retry_at', 'contacts']) query.delete(name);
  const rest = query.toString();
  if (result || s.wanted) history.replaceState(null, '', location.pathname + (rest ? `?${rest}` : '') + location.hash);
}

async function begin() {
  await read();
  live();
  announce(company(s));
  if (s.wanted && s.providers.some((p) => p.name === s.wanted)) {
    const provider = s.wanted;
    s.wanted = null;
    await connect(provider);
  }
}

arrive();
focusFirst = Boolean(s.landing);
const slow = setTimeout(paint, 400);
try {
  s.me = await call('GET', '/v1/me');
  await begin();
} catch (err) {
  lost(err);
  s.ready = true;
}
clearTimeout(slow);
paint();
