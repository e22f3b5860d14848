// The sentences of enlace's table of words, in the reader's language, filled as package words fills them: a text may say
// less than it could, it never shows a placeholder.
import * as format from './format.js';

const table = await (await fetch(new URL(`words.${format.lang()}.json`, import.meta.url))).json();

// Values that are written in the reader's way; all others are texts.
const writers = {
  at: format.at, until: format.until, since: format.since, asof: format.asof, ago: format.ago, date: format.date,
  duration: format.duration, eta: format.left, percent: format.percent, schedule: format.schedule,
  n: format.number, count: format.number, live: format.number, total: format.number, missing: format.number, calls: format.number, rate: format.number,
};

function value(placeholder, args) {
  const [name, forms] = placeholder.split(':');
  const v = args[name];
  if (v === undefined || v === null || v === '' || (v instanceof Date && Number.isNaN(+v))) return undefined;
  const text = writers[name] ? writers[name](v) : String(v);
  if (!forms) return text;
  const [one, other] = forms.split('/');
  return `${text} ${v === 1 ? one : other}`;
}

// expand fills one part; undefined if a value is missing.
function expand(template, args) {
  let missing = false;
  const optional = template.replace(/\[([^\]]*)\]/g, (_, clause) => {
    if (!clause.includes('{')) return args.match ? clause : '';
    return expand(clause, args) ?? '';
  });
  const out = optional.replace(/\{([^}]+)\}/g, (_, placeholder) => {
    const v = value(placeholder, args);
    if (v === undefined) missing = true;
    return v ?? '';
  });
  return missing ? undefined : out;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// prose fills sentences; one that lacks a value loses the smallest part that can go.
export function prose(template, args) {
  return (template || '').split(/(?<=[.?"])\s+(?=[^a-z])/).map((sentence) => {
    const whole = expand(sentence, args);
    if (whole !== undefined) return capital(whole).replace(/\.\.$/, '.'); // "a las 11:58 a.m." ends by itself
    const body = sentence.replace(/[.?]$/, '');
    for (const separator of ['; ', ', ']) {
      const parts = body.split(separator).map((part) => expand(part, args));
      const kept = parts.filter((part) => part !== undefined);
      if (kept.length && kept.length < parts.length && parts[0] !== undefined) return `${capital(kept.join(separator))}.`.replace(/\.\.$/, '.');
    }
    return '';
  }).filter(Boolean).join(' ');
}

// piece fills a title or label, which must stay whole.
export function piece(template, args) {
  const whole = expand(template || '', args);
  if (whole !== undefined) return capital(whole);
  return capital((template || '').replace(/\s*(?:\b(?:at|on|a|el|en|by|por|for|de)\s+)?\{[^}:]+\}/g, (part) => {
    const v = value(part.trim().replace(/^.*\{|\}$/g, ''), args);
    return v === undefined ? '' : ` ${v}`;
  }).trim().replace(/[:,;]$/, ''));
}

function text(row = {}, args) {
  return { title: piece(row.title, args), sentence: prose(row.sentence, args), buttons: (row.buttons || []).map((b) => piece(b, args)) };
}

// line is a row of a section: screens, confirmations, landing, waiting or common.
export const line = (section, key, args = {}) => ({ ...text(table[section][key], args), code: table[section][key]?.code });

export const hasLine = (section, key) => Object.hasOwn(table[section], key);

export const common = (key, args = {}) => line('common', key, args).title;

// state gives label, tone and tooltip of a connection or run.
export function state(section, key, args) {
  const row = table[section][key];
  if (!row) return { label: key, tone: 'mute', tooltip: '' }; // of a newer server
  return { label: piece(row.label, args), tone: row.tone, tooltip: prose(row.tooltip, args) };
}

// code gives the words of an error code; of one that a newer server knows, the generic ones. A variant without a title
// keeps the code's.
export function code(name, variant, args) {
  const row = table.codes[name] || table.codes.internal;
  const own = row.variants?.[variant];
  return { ...text({ ...row, ...own }, args), severity: row.severity };
}
