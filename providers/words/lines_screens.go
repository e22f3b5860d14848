package words

// Keys of what a screen says while it has nothing to show, or not yet.
const (
	ScreenIntegrationsNone       = "integrations_none"
	ScreenIntegrationNeverSynced = "integration_never_synced"
	ScreenRunsNone               = "runs_none"
	ScreenContactsNone           = "contacts_none"
	ScreenContactsNoMatch        = "contacts_no_match"
	ScreenInboxNone              = "inbox_none"
	ScreenInboxNoneSelected      = "inbox_none_selected"
	ScreenIncidentsNone          = "incidents_none"
	ScreenSkippedNoneLeft        = "skipped_none_left"
	ScreenAPIKeysNone            = "api_keys_none" //nolint:gosec // names a screen
	ScreenLoading                = "loading"
	ScreenOffline                = "offline"
	ScreenSSEBlocked             = "sse_blocked"
	ScreenResumed                = "resumed"
	ScreenRolledBack             = "rolled_back"
)

// Keys of the questions asked before something that matters.
const (
	AskDisconnect       = "disconnect"
	AskDisconnectShared = "disconnect_shared"
	AskPause            = "pause"
	AskCancelRun        = "cancel_run"
	AskFullResync       = "full_resync"
	AskConfirmDeletions = "confirm_deletions"
	AskDiscardDeletions = "discard_deletions"
	AskResendUnknown    = "resend_unknown"
	AskItArrived        = "it_arrived"
	AskDialAgain        = "dial_again"
	AskReconnectZoho    = "reconnect_zoho"
	AskRevokeKey        = "revoke_key"
	AskFullResyncPlain  = "full_resync_plain" // where no daily limit is known
	AskChanges          = "changes"
)

var screenLines = []line{
	{
		key: "integrations_none", page: "Integrations, none",
		en: wording{title: "Bring your contacts here", sentence: "Connect a CRM. We read your contacts and keep them current; we change nothing there.", buttons: []string{"Connect Pipedrive", "Connect Zoho CRM", "Try with sample data"}},
		es: wording{title: "Trae tus contactos", sentence: "Conecta un CRM. Leemos tus contactos y los mantenemos al día; allí no cambiamos nada.", buttons: []string{"Conectar Pipedrive", "Conectar Zoho CRM", "Probar con datos de ejemplo"}},
	},
	{
		key: "integration_never_synced", page: "Integration, never synced",
		en: wording{title: "No sync yet", sentence: "The first one comes {at}.", buttons: []string{"Sync now", "Preview"}},
		es: wording{title: "Aún sin sincronizar", sentence: "La primera llega {at}.", buttons: []string{"Sincronizar ahora", "Vista previa"}},
	},
	{
		key: "runs_none", page: "Runs, none",
		en: wording{title: "Nothing has run yet", sentence: "Runs appear here with what they changed."},
		es: wording{title: "Aún no hay sincronizaciones", sentence: "Aquí verás cada una con lo que cambió."},
	},
	{
		key: "contacts_none", page: "Contacts, none",
		en: wording{title: "No contacts yet", sentence: "They appear while the first sync is still running.", buttons: []string{"Go to integrations"}},
		es: wording{title: "Aún no hay contactos", sentence: "Aparecen mientras corre la primera sincronización.", buttons: []string{"Ir a integraciones"}},
	},
	{
		key: "contacts_no_match", page: "Contacts, no match",
		en: wording{title: `Nothing for "{name}"`, sentence: "Search looks at names, e-mails and phones.", buttons: []string{"Clear"}},
		es: wording{title: `Nada para "{name}"`, sentence: "Buscamos en nombres, correos y teléfonos.", buttons: []string{"Limpiar"}},
	},
	{
		key: "inbox_none", page: "Inbox, none",
		en: wording{title: "No conversations yet", sentence: "They begin when someone writes to {account}, or with a template.", buttons: []string{"Write with a template"}},
		es: wording{title: "Aún no hay conversaciones", sentence: "Empiezan cuando alguien escribe a {account}, o con una plantilla.", buttons: []string{"Escribir con plantilla"}},
	},
	{
		key: "inbox_none_selected", page: "Inbox, none selected",
		en: wording{sentence: "Choose a conversation."},
		es: wording{sentence: "Elige una conversación."},
	},
	{
		key: "incidents_none", page: "Incidents, none",
		en: wording{title: "All is well", sentence: "Nothing needs you. Last closed {ago}."},
		es: wording{title: "Todo en orden", sentence: "Nada te necesita. El último se cerró {ago}."},
	},
	{
		key: "skipped_none_left", page: "Skipped, none left",
		en: wording{sentence: "All skipped contacts were taken in."},
		es: wording{sentence: "Todos los omitidos ya entraron."},
	},
	{
		key: "api_keys_none", page: "API keys, none",
		en: wording{title: "No keys yet", sentence: "A key lets your systems start syncs and send messages.", buttons: []string{"Create key"}},
		es: wording{title: "Aún no hay claves", sentence: "Con una clave, tus sistemas inician sincronizaciones y envían mensajes.", buttons: []string{"Crear clave"}},
	},
	{
		key: "loading", page: "Loading > 400 ms",
		en: wording{sentence: "Loading…"},
		es: wording{sentence: "Cargando…"},
	},
	{
		key: "offline", page: "Offline",
		en: wording{sentence: "You are offline. What you see was read {at}."},
		es: wording{sentence: "Estás sin conexión. Lo que ves se leyó {at}."},
	},
	{
		key: "sse_blocked", page: "SSE blocked",
		en: wording{sentence: "Updating every 5 seconds."},
		es: wording{sentence: "Se actualiza cada 5 segundos."},
	},
	{
		key: "resumed", page: "Resumed",
		en: wording{sentence: "Up to date again."},
		es: wording{sentence: "Al día otra vez."},
	},
	{
		key: "rolled_back", page: "Rolled back",
		en: wording{sentence: "Not saved: {title} It is as before."},
		es: wording{sentence: "No se guardó: {title} Quedó como antes."},
	},
}

// confirmationLines: the safe button comes first, in focus order too.
var confirmationLines = []line{
	{
		key: "disconnect",
		en:  wording{title: "Disconnect {account}?", sentence: "{n:contact stays/contacts stay} here as they are; the history too. Syncs and notices stop, and our permission at {provider} is withdrawn. You can connect again any time.", buttons: []string{"Keep connected", "Disconnect"}},
		es:  wording{title: "¿Desconectar {account}?", sentence: "{n:contacto se queda/contactos se quedan} aquí como están; el historial también. Se detienen sincronizaciones y avisos, y se retira nuestro permiso en {provider}. Puedes conectar de nuevo cuando quieras.", buttons: []string{"Mantener conectada", "Desconectar"}},
	},
	{
		key: "disconnect_shared", page: "↳ account shared by another integration",
		en: wording{sentence: "The permission at {provider} stays, {name} uses it too."},
		es: wording{sentence: "El permiso en {provider} se mantiene: {name} también lo usa."},
	},
	{
		key: "pause",
		en:  wording{title: "Pause {account}?", sentence: "No syncs until you resume; then it catches up by itself.", buttons: []string{"Go on syncing", "Pause"}},
		es:  wording{title: "¿Poner {account} en pausa?", sentence: "Sin sincronizaciones hasta que reanudes; entonces se pone al día sola.", buttons: []string{"Seguir sincronizando", "Poner en pausa"}},
	},
	{
		key: "cancel_run", page: "cancel a run",
		en: wording{title: "Cancel this sync?", sentence: "It has synced {n:contact/contacts}[ of {total}] in {duration}[, about {eta} to go]. They stay. The next sync is {at}.", buttons: []string{"Go on", "Cancel sync"}},
		es: wording{title: "¿Cancelar esta sincronización?", sentence: "Lleva {n:contacto/contactos}[ de {total}] en {duration}[; termina en cerca de {eta}]. Se conservan. La próxima es {at}.", buttons: []string{"Continuar", "Cancelar sincronización"}},
	},
	{
		key: "full_resync", page: "full resync",
		en: wording{title: "Sync everything again?", sentence: "Reads all {total} contacts: about {calls} calls ({percent} of today's limit) and {eta}. Only what differs is written; nothing is duplicated.", buttons: []string{"Not now", "Only changes", "Sync everything"}},
		es: wording{title: "¿Sincronizar todo de nuevo?", sentence: "Lee los {total} contactos: cerca de {calls} llamadas ({percent} del límite de hoy) y {eta}. Solo se escribe lo que cambió; nada se duplica.", buttons: []string{"Ahora no", "Solo cambios", "Sincronizar todo"}},
	},
	{
		key: "confirm_deletions", page: "confirm deletions",
		en: wording{title: "Delete {n:contact/contacts} here?", sentence: "They will be marked as deleted, as in {provider}. If they come back there, they come back here.", buttons: []string{"Go back", "Delete {count}"}},
		es: wording{title: "¿Eliminar {n:contacto/contactos} aquí?", sentence: "Quedarán marcados como eliminados, igual que en {provider}. Si vuelven allí, vuelven aquí.", buttons: []string{"Volver", "Eliminar {count}"}},
	},
	{
		key: "discard_deletions", page: "discard deletions",
		en: wording{title: "Keep {n:contact/contacts}?", sentence: "Nothing is deleted. If they are still missing after the next full sync, we ask again.", buttons: []string{"Go back", "Keep them"}},
		es: wording{title: "¿Conservar {n:contacto/contactos}?", sentence: "No se elimina nada. Si siguen faltando tras la próxima sincronización completa, volvemos a preguntar.", buttons: []string{"Volver", "Conservar"}},
	},
	{
		key: "resend_unknown", page: "resend an unknown message",
		en: wording{title: "Send again?", sentence: "The first one may have arrived {at}. If it did, {name} will get it twice.", buttons: []string{"Wait", "Send again"}},
		es: wording{title: "¿Enviar de nuevo?", sentence: "El primero quizá llegó {at}. Si llegó, {name} lo recibirá dos veces.", buttons: []string{"Esperar", "Enviar de nuevo"}},
	},
	{
		key: "it_arrived", page: "it arrived",
		en: wording{title: "Mark as arrived?", sentence: "It stays in the conversation as sent, noted by you.", buttons: []string{"Go back", "Mark as arrived"}},
		es: wording{title: "¿Marcar como llegado?", sentence: "Queda en la conversación como enviado, anotado por ti.", buttons: []string{"Volver", "Marcar como llegado"}},
	},
	{
		key: "dial_again", page: "dial again after an unknown call",
		en: wording{title: "Call again?", sentence: "The first call may be ringing still or may never have left.", buttons: []string{"Wait", "Call again"}},
		es: wording{title: "¿Llamar de nuevo?", sentence: "La primera quizá aún suena o nunca salió.", buttons: []string{"Esperar", "Llamar de nuevo"}},
	},
	{
		key: "reconnect_zoho", page: "reconnect Zoho near its 20",
		en: wording{title: "Zoho keeps 20 permissions per user", sentence: "This would be number {count}; the oldest would stop working: {name}.", buttons: []string{"Go back", "Reconnect"}},
		es: wording{title: "Zoho guarda 20 permisos por usuario", sentence: "Este sería el número {count}; el más antiguo dejaría de funcionar: {name}.", buttons: []string{"Volver", "Reconectar"}},
	},
	{
		key: "revoke_key", page: "revoke an API key",
		en: wording{title: "Revoke {name}?", sentence: "Used {ago}. Systems that use it stop at once.", buttons: []string{"Keep", "Revoke"}},
		es: wording{title: "¿Revocar {name}?", sentence: "Se usó {ago}. Los sistemas que la usan se detienen al instante.", buttons: []string{"Conservar", "Revocar"}},
	},
	{
		key: "full_resync_plain",
		en:  wording{title: "Sync everything again?", sentence: "Reads all {total} contacts: about {calls} calls and {eta}. Only what differs is written; nothing is duplicated.", buttons: []string{"Not now", "Only changes", "Sync everything"}},
		es:  wording{title: "¿Sincronizar todo de nuevo?", sentence: "Lee los {total} contactos: cerca de {calls} llamadas y {eta}. Solo se escribe lo que cambió; nada se duplica.", buttons: []string{"Ahora no", "Solo cambios", "Sincronizar todo"}},
	},
	{
		key: "changes",
		en:  wording{title: "Sync the changes?", sentence: "Reads {n:contact/contacts}, with what changed of late once more: about {calls} calls and {eta}. Only what differs is written.", buttons: []string{"Not now", "Sync now"}},
		es:  wording{title: "¿Sincronizar los cambios?", sentence: "Lee {n:contacto/contactos}, con lo último una vez más: cerca de {calls} llamadas y {eta}. Solo se escribe lo que cambió.", buttons: []string{"Ahora no", "Sincronizar ahora"}},
	},
}

// Screen gives the words of an empty, loading or offline screen. It is empty
// for an unknown key.
func Screen(lang Lang, key string, args Args) Text {
	l, _ := find(screenLines, key)
	return l.in(lang).text(lang, args)
}

// Confirmation gives a question with its facts and buttons, the safe one
// first. It is empty for an unknown key.
func Confirmation(lang Lang, key string, args Args) Text {
	l, _ := find(confirmationLines, key)
	return l.in(lang).text(lang, args)
}
