// What is shown, made from what is known: functions of the state, without effects.
import * as format from './format.js';
import { code, common, line, prose, state as stateWords } from './words.js';
import { counted, label } from './labels.js';
import { h, icon } from './dom.js';

const day = (text) => (text ? new Date(text) : undefined);
const now = () => new Date();
const active = (run) => run && (run.status === 'pending' || run.status === 'in_progress');

// argsOf are the values that sentences about an account and its run may name.
function argsOf(i, run) {
  const args = { provider: i.provider_title, account: i.external_account_name, schedule: i.schedule, at: day(i.next_sync_at), asof: day(i.fresh_as_of), n: i.contacts };
  if (!run) return args;
  return {
    ...args, detail: run.error_detail, count: run.failures_in_row + 1, until: day(run.waiting_until), live: run.live_count,
    ago: day(run.started_at), match: run.sync_type === 'full' && run.drift === 0, duration: took(run),
  };
}

function took(run) {
  if (!run.started_at) return undefined;
  return (day(run.completed_at || now()) - day(run.started_at)) / 1000;
}

// runWords is a run's state in words: the label for the badge, the sentence for whoever asks.
export function runWords(run, i) {
  const args = argsOf(i, run);
  args.n = { running: run.pages, finished_with_skipped: run.records_failed }[run.state] ?? run.records_synced;
  const words = stateWords('run', run.state, args);
  if (run.state === 'waiting' || run.state === 'waiting_provider') {
    words.tooltip = line('waiting', run.waiting_reason || 'queued', { ...args, at: args.until }).sentence;
  } else if (run.state.startsWith('failed')) {
    words.tooltip = run.error_code ? code(run.error_code, run.error_variant, args).sentence : '';
  } else if (run.state === 'deletions_held') {
    words.tooltip = run.sentence; // its number is the server's
  }
  return words;
}

// troubled are states of a finished run that its account shows in place of its own.
const troubled = new Set(['failed_act', 'failed_retrying', 'failed', 'deletions_held', 'stopped_early']);

// badgeOf is what an account is to a person: its connection's state, unless its run says more.
export function badgeOf(i) {
  const fine = i.state === 'connected' || i.state === 'renewing';
  if (fine && i.run && (active(i.run) || troubled.has(i.run.state))) return runWords(i.run, i);
  return stateWords('connection', i.state, { ...argsOf(i), since: day(i.updated_at), date: day(i.fresh_as_of || i.updated_at), ago: day(i.refreshed_at) });
}

const urgency = { act: 0, wait: 1, info: 2, mute: 3, ok: 4 };

export function compare(a, b) {
  return urgency[badgeOf(a).tone] - urgency[badgeOf(b).tone] || (a.external_account_name || '').localeCompare(b.external_account_name || '');
}

const button = (text, act, id, kind = '', more = {}) => h('button', { type: 'button', class: `btn ${kind}`, 'data-act': act, 'data-id': id, ...more }, text);

const badge = (words, id) => h('span', { class: `badge ${words.tone}`, title: words.tooltip, 'aria-describedby': words.tooltip ? `tip-${id}` : undefined },
  words.label, words.tooltip && h('span', { class: 'sr', id: `tip-${id}` }, words.tooltip));

const stamp = (text, write = format.at) => (text ? h('time', { datetime: text, title: format.exact(day(text)) }, write(day(text))) : '–');

const say = (title, sentence) => h('p', { class: 'say' }, title && h('b', null, title), sentence && h('span', null, sentence));

/* progress */

// progress is how far a run is, as far as that is true.
export function progress(run) {
  const seen = run.records_seen;
  const total = run.records_total;
  if (run.percent !== null && run.percent !== undefined) return { seen, total, percent: run.percent, width: run.percent };
  if (!total) return { seen };
  return { seen, total, about: true, width: Math.min(95, (seen / total) * 100) };
}

export function progressText(run) {
  const p = progress(run);
  if (!p.total) return `${format.number(p.seen)} ${label('soFar')}`;
  const total = p.about ? common('about', { count: p.total }) : format.number(p.total);
  const text = `${format.number(p.seen)} ${label('of', { total })}`;
  return p.percent === undefined ? text : `${text}, ${format.percent(p.percent)}`;
}

function bar(run, words) {
  const p = progress(run);
  const waits = run.state === 'waiting_provider';
  const rest = p.total ? label(p.about ? 'ofAbout' : 'of', { total: p.about ? common('about', { count: p.total }).toLowerCase() : format.number(p.total) }) : label('soFar');
  const right = p.percent !== undefined ? format.percent(p.percent) : p.total ? '' : label('noTotal');
  const kind = waits ? 'waiting' : p.total ? '' : 'unknown';
  const time = run.eta_seconds !== null && run.eta_seconds > 0 ? common('left', { eta: run.eta_seconds }) : run.started_at ? label('runningFor', { duration: format.duration(took(run)) }) : '';
  const pace = [run.rate && common('rate', { rate: Math.round(run.rate) }), counted('calls', run.api_calls, format.number(run.api_calls))].filter(Boolean).join(' · ');
  return h('div', {
    class: 'prog', role: 'progressbar', 'aria-label': common(run.sync_type === 'full' ? 'full_sync' : 'only_changes'), 'aria-valuemin': 0, 'aria-valuemax': 100,
    'aria-valuenow': p.percent === undefined ? undefined : Math.floor(p.percent), 'aria-valuetext': progressText(run),
  },
  h('div', { class: 'top' }, h('span', null, h('b', null, format.number(p.seen)), h('span', { class: 'muted s' }, ` ${rest}`)), h('span', { class: 's muted nowrap' }, right)),
  h('div', { class: `bar ${kind}`, 'data-p': p.width?.toFixed(1) }, h('i')),
  words.tone === 'info' ? h('div', { class: 'sub' }, h('span', null, time), h('span', null, pace)) : h('p', { class: 's muted' }, words.tooltip));
}

/* one account */

// lastRuns are its last ten as bars: height is the duration, tone the outcome.
function lastRuns(runs, i) {
  const bars = runs.filter((run) => !active(run)).slice(0, 10).reverse().map((run) => {
    const words = runWords(run, i);
    const seconds = took(run) || 0;
    return h('i', { class: words.tone, 'data-h': Math.round(Math.min(20, 6 + 3 * Math.log2(1 + seconds / 4))), title: `${format.at(day(run.created_at))}: ${words.label}` });
  });
  return h('span', { class: 'ten', role: 'img', 'aria-label': label('lastTen') }, bars);
}

function changesOf(run, i) {
  if (run.state === 'cancelled') return runWords(run, i).label;
  const n = run.records_created + run.records_updated + run.records_deleted;
  const seconds = took(run);
  return `${counted('changes', n, format.number(n))}${seconds === undefined ? '' : ` ${label('inTime', { duration: format.duration(seconds) })}`}`;
}

function contactsOf(i) {
  const n = i.contacts_are_approx ? common('about', { count: i.contacts }) : format.number(i.contacts);
  const skipped = i.run?.records_failed;
  return skipped ? `${n} · ${format.number(skipped)} ${common('skipped').toLowerCase()}` : n;
}

function facts(i, runs) {
  return h('dl', { class: 'facts' },
    h('dt', null, label('contactsFact')), h('dd', null, contactsOf(i)),
    h('dt', null, common('last_sync')), h('dd', null, i.run ? [stamp(i.run.completed_at || i.run.created_at, format.ago), ` · ${changesOf(i.run, i)}`] : '–'),
    h('dt', null, common('next_sync')), h('dd', null, i.next_sync_at ? [stamp(i.next_sync_at), ` · ${format.schedule(i.schedule)}`] : '–'),
    h('dt', null, label('lastTen')), h('dd', null, lastRuns(runs, i)));
}

// troubleOf are title, sentence and buttons of what an account needs.
export function troubleOf(i) {
  const args = argsOf(i, i.run);
  switch (i.state) {
    case 'needs_reauth': return { ...code('needs_reauth', i.status_reason, args), act: 'reconnect' };
    case 'disconnected': return { ...code('integration_inactive', 'disconnected', args), act: 'reconnect' };
    case 'paused': return { ...code('integration_inactive', '', args), act: 'resume' };
  }
  const run = i.run;
  if (!run || !troubled.has(run.state)) return null;
  if (!run.state.startsWith('failed')) {
    const words = runWords(run, i);
    return { title: words.label, sentence: words.tooltip, buttons: [], act: 'sync' };
  }
  const words = code(run.error_code || 'internal', run.error_variant, args);
  const acts = { needs_reauth: 'reconnect', blocked: 'check', cursor_expired: 'sync', interrupted: 'sync', invalid_request: 'sync' };
  return { ...words, buttons: words.buttons.slice(-1), act: acts[run.error_code] || 'retry' };
}

function body(i, runs, words) {
  const fine = i.state === 'connected' || i.state === 'renewing';
  if (fine && active(i.run)) return bar(i.run, words);
  const trouble = troubleOf(i);
  if (trouble) return say(trouble.title, trouble.sentence);
  if (!i.run) {
    const never = line('screens', 'integration_never_synced', argsOf(i));
    return say(never.title, never.sentence);
  }
  return facts(i, runs);
}

function mainButton(i, busy) {
  const more = { disabled: busy };
  const fine = i.state === 'connected' || i.state === 'renewing';
  if (fine && active(i.run)) {
    return i.run.state === 'cancelling' ? null : button(label('cancel'), 'cancel', i.id, 'ghost', more);
  }
  const trouble = troubleOf(i);
  if (!trouble) return button(common('sync_now'), 'sync', i.id, '', more);
  const text = trouble.buttons[0] || (trouble.act === 'retry' || trouble.act === 'sync' ? common('sync_now') : '');
  const act = trouble.buttons[0] ? trouble.act : 'sync';
  return button(text, act, i.id, i.state === 'needs_reauth' ? 'primary' : '', more);
}

function menu(i) {
  if (i.state === 'disconnected') return null;
  const syncs = (i.state === 'connected' || i.state === 'renewing') && !active(i.run);
  return h('details', { class: 'menu' },
    h('summary', { class: 'btn ghost icon', 'aria-label': `${label('more')}: ${i.external_account_name || i.provider_title}`, title: label('more') }, icon('more')),
    h('div', { class: 'pop' },
      syncs && button(common('full_sync'), 'full', i.id, 'ghost'),
      i.state !== 'paused' && button(common('pause'), 'pause', i.id, 'ghost'),
      button(common('disconnect'), 'disconnect', i.id, 'ghost')));
}

function freshness(i, runs) {
  const kind = active(i.run) && label(runs.some((run) => run.id !== i.run.id) ? i.run.sync_type : 'first');
  if (kind) return i.run.started_at ? `${kind} · ${label('started', { at: format.at(day(i.run.started_at)) })}` : kind;
  return i.fresh_as_of ? common('fresh', { asof: day(i.fresh_as_of) }) : '';
}

function card(i, s) {
  const words = badgeOf(i);
  const runs = s.runs.filter((run) => run.integration_id === i.id);
  return h('article', { class: 'card', 'data-key': i.id, 'data-part': 'card', 'data-state': i.state, 'aria-labelledby': `name-${i.id}` },
    h('header', null,
      h('span', { class: 'mark', 'aria-hidden': 'true' }, i.provider_title.charAt(0)),
      h('div', { class: 'grow' }, h('h2', { id: `name-${i.id}` }, i.provider_title), h('p', null, i.external_account_name || '')),
      badge(words, i.id)),
    h('div', { class: 'body' }, body(i, runs, words)),
    h('footer', null, h('span', { class: 's muted fresh' }, freshness(i, runs)), h('span', { class: 'grow only-wide' }), mainButton(i, s.busy.has(i.id)), menu(i)));
}

/* OAuth landing (WORDS §7) */

// landedAtDoor is the landing to somebody who is not signed in: what it says, without the account.
function landedAtDoor(s) {
  const l = s.landing;
  if (!l) return null;
  const title = s.providers.find((p) => p.name === l.provider)?.title;
  const args = { provider: title, name: l.result === 'partial' ? l.missing : undefined, at: l.result === 'throttled' ? day(l.retry_at) : undefined };
  const words = line('landing', l.result, args);
  return h('section', { class: 'landed', 'data-key': 'landed', 'data-result': l.result, role: 'status' },
    say(words.code ? code(words.code, '', args).title : title || '', words.sentence));
}

function landing(s) {
  const l = s.landing;
  if (!l) return null;
  const i = s.integrations.find((one) => one.id === l.integration_id);
  const title = s.providers.find((p) => p.name === l.provider)?.title;
  const waiting = s.integrations.find((one) => one.state === 'needs_reauth' && one.provider === l.provider && one.id !== l.integration_id);
  const args = {
    ...(i ? argsOf(i) : {}), provider: title, since: day(i?.fresh_as_of), n: i?.contacts || i?.contacts_found || undefined,
    name: l.result === 'other_account' ? waiting?.external_account_name : l.missing, at: l.result === 'throttled' ? day(l.retry_at) : day(i?.next_sync_at),
  };
  const words = line('landing', l.result, args);
  const problem = words.code && code(words.code, '', args);
  const again = i ? ['reconnect', i.id] : ['connect', l.provider]; // one that was to be reconnected still is
  const acts = { connected: ['sync', i?.id], other_account: ['reconnect', waiting?.id], used: null }; // used: the card shows the result
  const act = l.result in acts ? acts[l.result] : problem && again;
  const text = problem ? problem.buttons[0] || code('connect_denied', '', args).buttons[0] : words.buttons[0];
  return h('article', { class: 'card landing', 'data-key': 'landing', 'data-result': l.result, 'aria-labelledby': 'landed' },
    h('header', null,
      h('span', { class: 'mark', 'aria-hidden': 'true' }, (title || 'e').charAt(0)),
      h('div', { class: 'grow' }, h('h2', { id: 'landed' }, problem ? problem.title : title || 'enlace'), h('p', null, i?.external_account_name || '')),
      i && badge(badgeOf(i), 'landed'),
      h('button', { type: 'button', class: 'btn ghost icon', 'data-act': 'leave', 'aria-label': label('close') }, icon('close'))),
    h('div', { class: 'body' }, say('', words.sentence)),
    act && act[1] && text && h('footer', null, h('span', { class: 'grow only-wide' }), button(text, act[0], act[1], 'primary', { 'data-first': true })));
}

/* the whole page */

// shows reports whether an account's card says the same already.
const shows = (i, incident) => i && (i.state === incident.code || (troubled.has(i.run?.state) && (i.run.error_code || i.run.state) === incident.code));

function banner(s) {
  const rank = { act: 0, fault: 1, wait: 2, info: 3 };
  const of = (incident) => s.integrations.find((one) => one.id === incident.integration_id);
  const open = s.incidents.filter((incident) => !shows(of(incident), incident)).sort((a, b) => rank[a.severity] - rank[b.severity]);
  if (!open.length) return null;
  const worst = open[0];
  const i = of(worst);
  const words = code(worst.code, worst.variant, { provider: worst.provider_title, account: worst.external_account_name, n: worst.args?.missing ?? worst.args?.n, count: worst.args?.count, live: worst.args?.live });
  const rest = open.length - 1;
  const act = { needs_reauth: 'reconnect', blocked: 'check' }[worst.code];
  const more = rest ? ` · ${label('andMore', { count: format.number(rest) })}` : '';
  return h('section', { class: `banner ${worst.severity === 'act' ? 'act' : 'wait'}`, 'data-key': 'banner', role: 'status' }, icon('alert'),
    h('span', { class: 'grow' }, h('b', null, words.title), ` ${worst.external_account_name || ''}, ${format.since(day(worst.opened_at))}${more}`),
    act && i && words.buttons.length && button(words.buttons.at(-1), act, i.id));
}

function connectButtons(s, primary) {
  return s.providers.map((p, n) => button([icon('plus'), h('span', null, connectText(p))], 'connect', p.name, primary && n === 0 ? 'primary' : '', { disabled: s.opening === p.name }));
}

export function connectText(p) {
  return `${code('connect_denied', '', {}).buttons[0]} ${p.title}`;
}

function empty(s) {
  const words = line('screens', 'integrations_none');
  return h('section', { class: 'empty', 'data-key': 'empty' }, h('span', { class: 'row', 'aria-hidden': 'true' }, s.providers.map((p) => h('span', { class: 'mark' }, p.title.charAt(0)))),
    h('div', null, h('h2', null, words.title), h('p', null, words.sentence)), h('div', { class: 'row' }, connectButtons(s, true)));
}

function summary(s) {
  const n = s.integrations.length;
  const contacts = s.integrations.reduce((sum, i) => sum + i.contacts, 0);
  const about = s.integrations.some((i) => i.contacts_are_approx);
  const written = about ? common('about', { count: contacts }).toLowerCase() : format.number(contacts);
  const need = s.integrations.filter((i) => badgeOf(i).tone === 'act').length;
  return h('p', null, h('span', null, `${counted('accounts', n, format.number(n))} · ${counted('contacts', contacts, written)}`),
    need > 0 && h('span', { class: 'act' }, counted('needYou', need, format.number(need))));
}

const askedBy = (by) => (by === 'schedule' ? label('bySchedule') : by?.startsWith('key:') ? label('byKey') : by ? label('byPerson') : '–');

function runsTable(s) {
  if (!s.runs.length) {
    const words = line('screens', 'runs_none');
    return h('section', { class: 'panel', id: 'runs' }, h('h2', null, label('recent')), say(words.title, words.sentence));
  }
  const head = [['when'], ['account'], ['kind', 'opt'], ['state'], ['took', 'opt'], ['', 'num opt', common('seen')], ['', 'num opt', common('created')], ['', 'num opt', common('updated')], ['', 'num opt', common('deleted')], ['by', 'opt']];
  const rows = s.runs.slice(0, 20).map((run) => {
    const i = s.integrations.find((one) => one.id === run.integration_id) || { provider_title: '', external_account_name: '' };
    const words = runWords(run, i);
    const seconds = took(run);
    return h('tr', { 'data-key': run.id }, h('td', { class: 'nowrap' }, stamp(run.created_at, format.ago)), h('td', null, i.external_account_name || i.provider_title),
      h('td', { class: 'opt' }, label(run.sync_type)), h('td', null, badge(words, `run-${run.id}`)), h('td', { class: 'opt nowrap' }, seconds === undefined ? '–' : format.duration(seconds)),
      ['seen', 'created', 'updated', 'deleted'].map((name) => h('td', { class: 'num opt' }, format.number(run[`records_${name}`]))), h('td', { class: 'opt' }, askedBy(run.requested_by)));
  });
  return h('section', { class: 'panel', id: 'runs' }, h('h2', null, label('recent')),
    h('div', { class: 'scroll' }, h('table', { class: 'tbl' },
      h('thead', null, h('tr', null, head.map(([key, kind, text]) => h('th', { class: kind, scope: 'col' }, text || label(key))))), h('tbody', null, rows))));
}

function liveMark(s) {
  const text = s.live === 'live' ? `${label('live')} · ${format.time(s.readAt)}` : label(s.live);
  const tip = s.live === 'polling' ? line('screens', 'sse_blocked').sentence : '';
  return h('span', { class: `mark-live ${s.live}`, title: tip }, h('i', { 'aria-hidden': 'true' }), text);
}

const switches = () => h('span', { class: 'switches' },
  h('button', { type: 'button', class: 'btn ghost', 'data-act': 'language', lang: format.lang() === 'es' ? 'en' : 'es', 'aria-label': label('language'), title: label('language') }, label('languageShort')),
  h('button', { type: 'button', class: 'btn ghost icon', 'data-act': 'theme', 'aria-label': label('theme'), title: label('theme') }, icon('theme')));

function places(s, short) {
  const list = [['plug', short ? 'accountsTab' : 'integrations', '#main'], ['list', short ? 'runsTab' : 'runs', '#runs'], ['code', 'api', '/docs']];
  if (s.me.admin) list.push(['gear', 'queue', '/riverui/']);
  return list.map(([image, name, href], n) => h('a', { href, 'aria-current': n === 0 ? 'page' : undefined }, icon(image), h('span', null, label(name))));
}

const brand = () => h('a', { class: 'brand', href: '/' }, icon('link'), 'enlace');

export function company(s) {
  if (!s.me.tenant_id) return label('everybody');
  return s.me.actor === 'demo' ? label('demo') : label('company');
}

function offline(s) {
  if (s.live !== 'offline') return null;
  return h('p', { class: 'offline', 'data-key': 'offline' }, line('screens', 'offline', { at: s.readAt }).sentence);
}

// shownCards leaves out the account in whose place the landing stands.
function shownCards(s) {
  const instead = s.landing?.result === 'connected' ? s.landing.integration_id : '';
  return s.order.map((id) => s.integrations.find((i) => i.id === id)).filter((i) => i && i.id !== instead);
}

export function page(s) {
  const nothing = !s.integrations.length;
  return h('div', { class: 'shell', 'data-key': 'page' },
    h('a', { class: 'skip', href: '#main' }, label('skip')),
    h('div', { class: 'topbar' }, brand(), liveMark(s), switches()),
    h('aside', { class: 'side' }, brand(), h('nav', { class: 'nav', 'aria-label': 'enlace' }, places(s)),
      h('div', { class: 'who s' }, h('b', null, company(s)), liveMark(s), h('div', { class: 'row' }, switches(),
        h('button', { type: 'button', class: 'btn ghost icon', 'data-act': 'sign-out', 'aria-label': label('signOut'), title: label('signOut') }, icon('out'))))),
    h('main', { class: 'main', id: 'main' },
      h('div', { class: 'head' }, h('div', { class: 'grow' }, h('h1', { tabindex: '-1' }, label('integrations')), !nothing && summary(s)), !nothing && connectButtons(s, false)),
      offline(s), banner(s),
      h('div', { class: 'cards' }, landing(s), shownCards(s).map((i) => card(i, s))),
      nothing && empty(s), !nothing && runsTable(s)),
    h('nav', { class: 'tabs', 'aria-label': 'enlace' }, places(s, true), h('button', { type: 'button', 'data-act': 'sign-out' }, icon('out'), h('span', null, label('signOutTab')))));
}

// loading stands where the first answer will.
export function loading() {
  return h('main', { class: 'main', 'data-key': 'loading', 'aria-busy': 'true' }, h('p', { class: 'muted' }, prose(line('screens', 'loading').sentence)));
}

export function signIn(s) {
  return h('main', { class: 'door', 'data-key': 'door' },
    h('div', { class: 'panel' }, h('div', { class: 'row' }, h('h1', { class: 'brand' }, icon('link'), 'enlace'), switches()),
      landedAtDoor(s) || h('p', { class: 'muted' }, label('intro')),
      s.demo && button(label('enterDemo'), 'demo', '', 'primary', { 'data-first': true }),
      h('form', { 'data-act': 'enter' },
        h('label', { for: 'key' }, label('key')),
        h('input', { id: 'key', name: 'api_key', type: 'password', autocomplete: 'current-password', required: true, 'aria-describedby': s.doorError ? 'door-error' : undefined, 'aria-invalid': s.doorError ? 'true' : undefined }),
        s.doorError && h('p', { id: 'door-error', class: 'wrong', role: 'alert' }, s.doorError),
        h('button', { class: `btn ${s.demo ? '' : 'primary'}` }, label('enter')))));
}
