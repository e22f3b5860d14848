package words

// stateRow is one row of the table of states.
type stateRow struct {
	key       string
	tone      Tone
	tick      string
	label     pair
	tooltip   pair
	tooltipOf tooltipSource
}

// pair is a template in English and Spanish.
type pair [2]string

func (p pair) in(lang Lang) string {
	if lang == Es {
		return p[1]
	}
	return p[0]
}

// tooltipSource says where a tooltip comes from that is not the state's own.
type tooltipSource string

const (
	fromWaiting  tooltipSource = "waiting_reason"
	fromSentence tooltipSource = "sentence"
	fromTitle    tooltipSource = "title"
)

var connectionStates = []stateRow{
	{key: "connected", tone: ToneOk, label: pair{"Connected", "Conectada"}, tooltip: pair{"Syncs {schedule}. Permission renewed {ago}.", "Sincroniza {schedule}. Permiso renovado {ago}."}},
	{key: "renewing", tone: ToneInfo, label: pair{"Renewing", "Renovando"}, tooltip: pair{"The permission is being renewed; this takes seconds.", "Se está renovando el permiso; tarda segundos."}},
	{key: "needs_reauth", tone: ToneAct, label: pair{"Needs reconnection", "Necesita reconexión"}, tooltip: pair{"{provider} has not accepted the permission {since}.", "{provider} no acepta el permiso {since}."}},
	{key: "paused", tone: ToneMute, label: pair{"Paused", "En pausa"}, tooltip: pair{"Paused[ by {name}] {since}. Nothing is lost.", "En pausa[ por {name}] {since}. Nada se pierde."}},
	{key: "disconnected", tone: ToneMute, label: pair{"Disconnected", "Desconectada"}, tooltip: pair{"Contacts are kept as of {date}.", "Los contactos quedan como estaban el {date}."}},
}

// runStates is in the order of precedence: the first that fits names the run.
var runStates = []stateRow{
	{key: "cancelling", tone: ToneMute, label: pair{"Cancelling", "Cancelando"}, tooltip: pair{"Ends after the page being stored.", "Termina al guardar la página actual."}},
	{key: "waiting_provider", tone: ToneWait, label: pair{"Waiting for {provider} {until}", "Esperando a {provider} {until}"}, tooltipOf: fromWaiting},
	{key: "waiting", tone: ToneMute, label: pair{"Waiting", "En espera"}, tooltipOf: fromWaiting},
	{key: "running", tone: ToneInfo, label: pair{"Running", "En curso"}, tooltip: pair{"Started {ago}, {n:page/pages} read.", "Empezó {ago}, {n:página leída/páginas leídas}."}},
	{key: "finished", tone: ToneOk, label: pair{"Finished", "Terminada"}, tooltip: pair{"{n:contact/contacts} in {duration}.[ The counts match.]", "{n:contacto/contactos} en {duration}.[ Las cantidades coinciden.]"}},
	{key: "finished_with_skipped", tone: ToneWait, label: pair{"Finished with {n:skipped/skipped}", "Terminada con {n:omitido/omitidos}"}, tooltip: pair{"The rest is up to date.", "Lo demás está al día."}},
	{key: "deletions_held", tone: ToneAct, label: pair{"Finished, deletions to review", "Terminada, eliminaciones por revisar"}, tooltip: pair{"{n:deletion waits/deletions wait} for your decision.", "{n:eliminación espera/eliminaciones esperan} tu decisión."}},
	{key: "stopped_early", tone: ToneWait, label: pair{"Stopped early", "Terminó antes de tiempo"}, tooltip: pair{"{provider}'s list ended before its own count. Nothing was deleted.", "La lista de {provider} acabó antes de su propio total. No se eliminó nada."}},
	{key: "cancelled", tone: ToneMute, label: pair{"Cancelled", "Cancelada"}, tooltip: pair{"{n:contact/contacts} stay.", "Se conservan {n:contacto/contactos}."}},
	{key: "failed_retrying", tone: ToneWait, label: pair{"Failed: we retry {at}", "Falló: reintentamos {at}"}, tooltipOf: fromSentence},
	{key: "failed_act", tone: ToneAct, label: pair{"Failed: you need to act", "Falló: te toca actuar"}, tooltipOf: fromSentence},
	{key: "failed", tone: ToneWait, label: pair{"Failed", "Falló"}, tooltipOf: fromSentence},
}

var messageStates = []stateRow{
	{key: "queued", tick: "clock", label: pair{"Queued", "En cola"}, tooltip: pair{"Sent in order, as soon as {provider} allows.", "Sale en orden, en cuanto {provider} lo permita."}},
	{key: "sending", tick: "clock", label: pair{"Sending", "Enviando"}, tooltip: pair{"On its way to {provider}.", "En camino a {provider}."}},
	{key: "unknown", tick: "?", label: pair{"Unconfirmed", "Sin confirmar"}, tooltip: pair{"{provider} did not confirm. Not sent again by itself.", "{provider} no lo confirmó. No se reenvía solo."}},
	{key: "accepted", tick: "·", label: pair{"Accepted", "Aceptado"}, tooltip: pair{"{provider} has it {at}.", "{provider} lo recibió {at}."}},
	{key: "sent", tick: "✓", label: pair{"Sent", "Enviado"}, tooltip: pair{"Left {provider} {at}.", "Salió de {provider} {at}."}},
	{key: "delivered", tick: "✓✓", label: pair{"Delivered", "Entregado"}, tooltip: pair{"On their phone {at}.", "En su teléfono {at}."}},
	{key: "read", tick: "✓✓ accent", label: pair{"Read", "Leído"}, tooltip: pair{"Read {at}.", "Leído {at}."}},
	{key: "played", tick: "▶ accent", label: pair{"Played", "Escuchado"}, tooltip: pair{"Played {at}.", "Escuchado {at}."}},
	{key: "failed", tick: "!", label: pair{"Not delivered", "No entregado"}, tooltipOf: fromTitle},
	{key: "cancelled", tick: "–", label: pair{"Cancelled", "Cancelado"}, tooltip: pair{"Withdrawn before sending.", "Retirado antes de enviarse."}},
}

var callStates = []stateRow{
	{key: "queued", label: pair{"Queued", "En cola"}, tooltip: pair{"Waits for its turn; one call a second leaves.", "Espera su turno; sale una llamada por segundo."}},
	{key: "sending", label: pair{"Placing", "Marcando"}, tooltip: pair{"On its way to {provider}.", "En camino a {provider}."}},
	{key: "unknown", label: pair{"Unconfirmed", "Sin confirmar"}, tooltip: pair{"Perhaps not placed. Not dialled again by itself.", "Quizá no se hizo. No se marca de nuevo sola."}},
	{key: "ringing", label: pair{"Ringing", "Sonando"}, tooltip: pair{"Ringing for {duration}.", "Suena hace {duration}."}},
	{key: "in-progress", label: pair{"In call", "En llamada"}, tooltip: pair{"In call for {duration}.", "En llamada hace {duration}."}},
	{key: "completed", label: pair{"Ended", "Terminada"}, tooltip: pair{"{duration}.", "{duration}."}},
	{key: "busy", label: pair{"Busy", "Ocupado"}, tooltip: pair{"The line was busy.", "La línea estaba ocupada."}},
	{key: "no-answer", label: pair{"No answer", "Sin respuesta"}, tooltip: pair{"Rang {duration}.", "Sonó {duration}."}},
	{key: "failed", label: pair{"Failed", "Falló"}, tooltipOf: fromTitle},
	{key: "canceled", label: pair{"Cancelled", "Cancelada"}, tooltip: pair{"Ended before it was answered.", "Se cortó antes de que contestaran."}},
}

// missedNote stands on a run that covers ticks which passed while nothing ran.
var missedNote = pair{"Covers {n:missed time/missed times}", "Cubre {n:horario perdido/horarios perdidos}"}
