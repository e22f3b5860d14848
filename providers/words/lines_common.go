package words

// Keys of the words that screens and lists share.
const (
	CommonSyncNow        = "sync_now"
	CommonFullSync       = "full_sync"
	CommonOnlyChanges    = "only_changes"
	CommonPreview        = "preview"
	CommonPause          = "pause"
	CommonResume         = "resume"
	CommonDisconnect     = "disconnect"
	CommonFresh          = "fresh"
	CommonNextSync       = "next_sync"
	CommonLastSync       = "last_sync"
	CommonLeft           = "left"
	CommonRate           = "rate"
	CommonAbout          = "about"
	CommonSeen           = "seen"
	CommonCreated        = "created"
	CommonUpdated        = "updated"
	CommonUnchanged      = "unchanged"
	CommonDeleted        = "deleted"
	CommonSkipped        = "skipped"
	CommonUsageToday     = "usage_today"
	CommonEvery15Minutes = "every_15_minutes"
	CommonChannel        = "channel"
	CommonTemplate       = "template"
	CommonHeld           = "held"
)

var commonLines = []line{
	{key: "sync_now", en: wording{title: "Sync now"}, es: wording{title: "Sincronizar ahora"}},
	{key: "full_sync", en: wording{title: "Full sync"}, es: wording{title: "Sincronización completa"}},
	{key: "only_changes", en: wording{title: "Only changes"}, es: wording{title: "Solo cambios"}},
	{key: "preview", en: wording{title: "Preview"}, es: wording{title: "Vista previa"}},
	{key: "pause", en: wording{title: "Pause"}, es: wording{title: "Pausar"}},
	{key: "resume", en: wording{title: "Resume"}, es: wording{title: "Reanudar"}},
	{key: "disconnect", en: wording{title: "Disconnect"}, es: wording{title: "Desconectar"}},
	{key: "fresh", en: wording{title: "Fresh {asof}"}, es: wording{title: "Al día {asof}"}},
	{key: "next_sync", en: wording{title: "Next sync"}, es: wording{title: "Próxima sincronización"}},
	{key: "last_sync", en: wording{title: "Last sync"}, es: wording{title: "Última sincronización"}},
	{key: "left", en: wording{title: "about {eta} left"}, es: wording{title: "termina en cerca de {eta}"}},
	{key: "rate", en: wording{title: "{rate} contacts/s"}, es: wording{title: "{rate} contactos/s"}},
	{key: "about", en: wording{title: "about {count}"}, es: wording{title: "cerca de {count}"}},
	{key: "seen", en: wording{title: "seen"}, es: wording{title: "leídos"}},
	{key: "created", en: wording{title: "created"}, es: wording{title: "creados"}},
	{key: "updated", en: wording{title: "updated"}, es: wording{title: "actualizados"}},
	{key: "unchanged", en: wording{title: "unchanged"}, es: wording{title: "sin cambios"}},
	{key: "deleted", en: wording{title: "deleted"}, es: wording{title: "eliminados"}},
	{key: "skipped", en: wording{title: "skipped"}, es: wording{title: "omitidos"}},
	{key: "usage_today", en: wording{title: "usage today"}, es: wording{title: "uso de hoy"}},
	{key: "every_15_minutes", en: wording{title: "every 15 minutes"}, es: wording{title: "cada 15 minutos"}},
	{key: "channel", en: wording{title: "channel"}, es: wording{title: "canal"}},
	{key: "template", en: wording{title: "template"}, es: wording{title: "plantilla"}},
	{key: "held", en: wording{title: "held"}, es: wording{title: "por revisar"}},
}

// Common gives a word or short phrase that screens and lists share. It is
// empty for an unknown key.
func Common(lang Lang, key string, args Args) string {
	l, _ := find(commonLines, key)
	return newRenderer(lang, args).piece(l.in(lang).title)
}
