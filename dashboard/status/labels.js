// The labels around the sentences: what the table of words doesn't hold, since only this page has them.
import { lang } from './format.js';

const labels = {
  integrations: ['Integrations', 'Integraciones'],
  runs: ['Runs', 'Sincronizaciones'],
  recent: ['Recent runs', 'Últimas sincronizaciones'],
  queue: ['Queue', 'Cola'],
  api: ['API', 'API'],
  skip: ['Go to the content', 'Ir al contenido'],
  company: ['Your company', 'Tu empresa'],
  demo: ['Demo company', 'Empresa de ejemplo'],
  everybody: ['All companies', 'Todas las empresas'],
  live: ['Live', 'En vivo'],
  polling: ['every 5 s', 'cada 5 s'],
  offline: ['offline', 'sin conexión'],
  connecting: ['connecting', 'conectando'],
  theme: ['Light or dark', 'Claro u oscuro'],
  language: ['Español', 'English'],
  languageShort: ['ES', 'EN'],
  signOut: ['Sign out', 'Cerrar sesión'],
  accountsTab: ['Accounts', 'Cuentas'],
  runsTab: ['Runs', 'Historial'],
  signOutTab: ['Sign out', 'Salir'],
  key: ['API key', 'Clave de API'],
  enter: ['Enter', 'Entrar'],
  enterDemo: ['Enter as demo admin', 'Entrar como administrador de ejemplo'],
  intro: ['Accounts and how their contacts are syncing.', 'Tus cuentas y cómo se sincronizan sus contactos.'],
  accounts: ['account/accounts', 'cuenta/cuentas'],
  contacts: ['contact/contacts', 'contacto/contactos'],
  needYou: ['needs you/need you', 'te necesita/te necesitan'],
  contactsFact: ['Contacts', 'Contactos'],
  lastTen: ['Last 10 runs', 'Últimas 10'],
  of: ['of {total} contacts', 'de {total} contactos'],
  ofAbout: ['of {total}', 'de {total}'],
  soFar: ['contacts so far', 'contactos hasta ahora'],
  noTotal: ['total not known yet', 'total aún no conocido'],
  calls: ['call/calls', 'llamada/llamadas'],
  runningFor: ['{duration} so far', '{duration} en curso'],
  started: ['started {at}', 'empezó {at}'],
  first: ['First', 'Primera'],
  full: ['Full', 'Completa'],
  incremental: ['Changes', 'Cambios'],
  changes: ['change/changes', 'cambio/cambios'],
  inTime: ['in {duration}', 'en {duration}'],
  cancel: ['Cancel', 'Cancelar'],
  more: ['More actions', 'Más acciones'],
  close: ['Close', 'Cerrar'],
  andMore: ['and {count} more', 'y {count} más'],
  when: ['When', 'Cuándo'],
  account: ['Account', 'Cuenta'],
  kind: ['Kind', 'Tipo'],
  state: ['State', 'Estado'],
  took: ['Duration', 'Duración'],
  by: ['Asked by', 'Pedida por'],
  bySchedule: ['schedule', 'horario'],
  byPerson: ['a person', 'una persona'],
  byKey: ['API key', 'clave de API'],
  withdrawalFailed: ['{provider} did not take our permission back. You can remove it there, among your installed apps.', '{provider} no retiró nuestro permiso. Puedes quitarlo allí, entre tus aplicaciones instaladas.'],
  opening: ['Opening {provider}…', 'Abriendo {provider}…'],
};

export function label(key, args = {}) {
  const text = labels[key][lang() === 'es' ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (_, name) => args[name]);
}

// counted is a number, already written, with the right noun.
export function counted(key, n, written) {
  const [one, other] = label(key).split('/');
  return `${written} ${n === 1 ? one : other}`;
}
