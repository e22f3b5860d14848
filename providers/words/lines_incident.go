package words

// Parts of an incident's mail and Slack message. The first line between
// subject and line 2 is the sentence of the code, from [Render].
const (
	IncidentSubjectOpen       = "subject_open"
	IncidentLine2             = "line_2"
	IncidentLine3Act          = "line_3_act"
	IncidentLine3Wait         = "line_3_wait"
	IncidentLine3Fault        = "line_3_fault"
	IncidentSubjectReminder   = "subject_reminder"
	IncidentSubjectClosed     = "subject_closed"
	IncidentBodyClosed        = "body_closed"
	IncidentBodyClosedUnknown = "body_closed_unknown"
	IncidentFooter            = "footer"
)

var incidentLines = []line{
	{
		key: "subject_open", page: "subject, open",
		en: wording{sentence: "{title} ({account})"},
		es: wording{sentence: "{title} ({account})"},
	},
	{
		key: "line_2", page: "line 2",
		en: wording{sentence: "It began {at}. Your data is fresh {asof}."},
		es: wording{sentence: "Empezó {at}. Tus datos están al día {asof}."},
	},
	{
		key: "line_3_act", page: "line 3 `act`",
		en: wording{sentence: "What to do: {button}, in {link}. It takes about a minute."},
		es: wording{sentence: "Qué hacer: {button}, en {link}. Toma cerca de un minuto."},
	},
	{
		key: "line_3_wait", page: "line 3 `wait`",
		en: wording{sentence: "Nothing to do. We write again when it is over."},
		es: wording{sentence: "No tienes que hacer nada. Te escribimos cuando termine."},
	},
	{
		key: "line_3_fault", page: "line 3 `fault` (operators)",
		en: wording{sentence: "Affects {n:integration/integrations}. Detail: \"{detail}\". Fix: {hint}. `enlace doctor` checks it."},
		es: wording{sentence: "Afecta a {n:integración/integraciones}. Detalle: \"{detail}\". Solución: {hint}. `enlace doctor` lo revisa."},
	},
	{
		key: "subject_reminder", page: "subject, reminder",
		en: wording{sentence: "Still waiting for you: {title} ({account})"},
		es: wording{sentence: "Sigue pendiente: {title} ({account})"},
	},
	{
		key: "subject_closed", page: "subject, closed",
		en: wording{sentence: "Solved: {title} ({account})"},
		es: wording{sentence: "Resuelto: {title} ({account})"},
	},
	{
		key: "body_closed", page: "body, closed",
		en: wording{sentence: "It lasted {duration}. {n:change was/changes were} caught up; nothing was lost."},
		es: wording{sentence: "Duró {duration}. Se recuperaron {n:cambio/cambios}; no se perdió nada."},
	},
	{
		key: "body_closed_unknown", page: "body, closed, not known",
		en: wording{sentence: "It lasted {duration}. Syncing goes on as usual."},
		es: wording{sentence: "Duró {duration}. Todo se sincroniza como siempre."},
	},
	{
		key: "footer",
		en:  wording{sentence: "You get this as an admin of {tenant}. Choose what you get: {link}"},
		es:  wording{sentence: "Lo recibes como administrador de {tenant}. Elige qué recibir: {link}"},
	},
}

// IncidentPart gives one part of an incident's mail. It is empty for an unknown part.
func IncidentPart(lang Lang, part string, args Args) string {
	l, _ := find(incidentLines, part)
	w := l.in(lang)
	switch part {
	case IncidentSubjectOpen, IncidentSubjectReminder, IncidentSubjectClosed:
		return newRenderer(lang, args).piece(w.sentence)
	}
	return w.prose(lang, args)
}
