// Numbers, times and durations as the reader's browser writes them.

export const lang = () => document.documentElement.lang;

// The browser's full locale for the chosen language: es-MX and es-CO write numbers differently.
const locale = () => navigator.languages.find((tag) => tag.startsWith(lang())) || (lang() === 'es' ? 'es-419' : 'en');

export const number = (n) => new Intl.NumberFormat(locale(), { useGrouping: 'always' }).format(n);

export const percent = (p) => new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 }).format(Math.floor(p) / 100);

const twelve = () => new Intl.DateTimeFormat(locale(), { hour: 'numeric' }).resolvedOptions().hour12;

export const time = (at) => new Intl.DateTimeFormat(locale(), { hour: twelve() ? 'numeric' : '2-digit', minute: '2-digit' }).format(at);

// exact is for tooltips: with the zone.
export const exact = (at) => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'long' }).format(at);

export function date(at) {
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : 'numeric';
  return new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'short', year }).format(at);
}

// duration has two units at most: "1 min 29 s".
export function duration(seconds) {
  if (seconds < 1) return lang() === 'es' ? 'menos de 1 s' : 'under 1 s';
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  const first = units.findIndex(([size]) => seconds >= size);
  const parts = [`${Math.floor(seconds / units[first][0])} ${units[first][1]}`];
  if (first < 3) {
    const rest = Math.floor((seconds % units[first][0]) / units[first + 1][0]);
    if (rest) parts.push(`${rest} ${units[first + 1][1]}`);
  }
  return parts.join(' ');
}

// left rounds the time that is left: nobody believes "1 min 29 s".
export function left(seconds) {
  const step = seconds < 60 ? 5 : seconds < 600 ? 60 : 300;
  return duration(Math.max(step, Math.round(seconds / step) * step));
}

// days counts calendar days from now in the reader's zone.
function days(at) {
  const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate());
  return Math.round((midnight(at) - midnight(new Date())) / 86400e3);
}

// Times carry their preposition, because the Spanish article follows the hour: la 1, las 2.
function spanish(at, preposition) {
  const one = at.getHours() === 1 || (twelve() && at.getHours() === 13);
  const hour = one ? `la ${time(at).replace(/^0/, '')}` : `las ${time(at)}`;
  const day = { '0': '', '1': 'mañana a ', '-1': 'ayer a ' }[days(at)] ?? `el ${date(at)} a `;
  if (!preposition) return day ? day + hour : `a ${hour}`;
  return `${preposition} ${day}${hour}`;
}

function english(at, preposition, hour, day) {
  const clock = time(at);
  switch (days(at)) {
    case 0: return `${preposition}${hour}${clock}`;
    case 1: return `${preposition}tomorrow at ${clock}`;
    case -1: return `${preposition}yesterday at ${clock}`;
  }
  return `${preposition}${day}${date(at)} at ${clock}`;
}

export const at = (t) => (lang() === 'es' ? spanish(t, '') : english(t, '', 'at ', 'on '));
export const until = (t) => (lang() === 'es' ? spanish(t, 'hasta') : english(t, 'until ', '', ''));
export const since = (t) => (lang() === 'es' ? spanish(t, 'desde') : english(t, 'since ', '', ''));
export const asof = (t) => (lang() === 'es' ? spanish(t, 'hasta') : english(t, 'as of ', '', ''));

export function ago(t) {
  const minutes = Math.floor((Date.now() - t) / 60e3);
  if (minutes >= 60) return at(t);
  if (minutes < 1) return lang() === 'es' ? 'hace un momento' : 'just now';
  return lang() === 'es' ? `hace ${minutes} min` : `${minutes} min ago`;
}

// schedule says "@every 15m" in words; any other expression stands as it is.
export function schedule(text) {
  const every = /^@every (\d+)(m|h)(?:0[ms])*$/.exec(text);
  if (!every) return text;
  const n = Number(every[1]);
  const unit = { m: { en: ['minute', 'minutes'], es: ['minuto', 'minutos'] }, h: { en: ['hour', 'hours'], es: ['hora', 'horas'] } }[every[2]][lang()];
  const word = lang() === 'es' ? 'cada' : 'every';
  return n === 1 ? `${word} ${unit[0]}` : `${word} ${n} ${unit[1]}`;
}
