package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/words"
)

// now is a Wednesday afternoon in Mexico City.
func now(t *testing.T) (time.Time, *time.Location) {
	t.Helper()

	zone, err := time.LoadLocation("America/Mexico_City")
	require.NoError(t, err)
	return time.Date(2026, 11, 25, 14, 0, 0, 0, zone), zone
}

func TestRender(t *testing.T) {
	t.Parallel()

	at, zone := now(t)
	args := words.Args{Now: at, Zone: zone, Provider: "Pipedrive", Account: "Nordlicht GmbH", At: at.Add(5 * time.Minute)}
	with := func(change func(*words.Args)) words.Args {
		a := args
		change(&a)
		return a
	}

	for name, tt := range map[string]struct {
		code    words.Code
		variant string
		args    words.Args
		en, es  words.Text
	}{
		"a wait says when it ends": {
			code: words.ProviderUnavailable, args: args,
			en: words.Text{Title: "Pipedrive is not answering", Sentence: "We try again at 14:05. What was already synced is safe.", Buttons: []string{"Try now"}},
			es: words.Text{Title: "Pipedrive no responde", Sentence: "Lo intentamos de nuevo a las 14:05. Lo ya sincronizado está a salvo.", Buttons: []string{"Intentar ahora"}},
		},
		"without a time the sentence that needs it goes": {
			code: words.ProviderUnavailable, args: with(func(a *words.Args) { a.At = time.Time{} }),
			en: words.Text{Title: "Pipedrive is not answering", Sentence: "What was already synced is safe.", Buttons: []string{"Try now"}},
			es: words.Text{Title: "Pipedrive no responde", Sentence: "Lo ya sincronizado está a salvo.", Buttons: []string{"Intentar ahora"}},
		},
		"of two clauses only the one without its value goes": {
			code: words.Blocked, variant: words.VariantSuspended, args: with(func(a *words.Args) { a.At = time.Time{} }),
			en: words.Text{Title: "Pipedrive has suspended Nordlicht GmbH", Sentence: "Only Pipedrive can lift it. Queued work waits.", Buttons: []string{"Open Pipedrive", "Check now"}},
			es: words.Text{Title: "Pipedrive suspendió Nordlicht GmbH", Sentence: "Solo Pipedrive puede levantarlo. Lo pendiente espera.", Buttons: []string{"Abrir Pipedrive", "Revisar ahora"}},
		},
		"a variant replaces the sentence and keeps the title": {
			code: words.Misconfigured, variant: words.VariantKey, args: args,
			en: words.Text{Title: "Setup on our side needs attention", Sentence: "The stored token cannot be opened with the current key. The team was told.", Operators: "run `enlace keys import`"},
			es: words.Text{Title: "Hay que revisar nuestra configuración", Sentence: "El token guardado no se abre con la clave actual. El equipo ya fue avisado.", Operators: "ejecuta `enlace keys import`"},
		},
		"a variant without a line has its code's words": {
			code: words.NeedsReauth, variant: words.VariantRevoked, args: args,
			en: words.Text{Title: "Reconnect Pipedrive", Sentence: "Pipedrive no longer accepts the permission given for Nordlicht GmbH. Your contacts stay here; new changes arrive after you reconnect.", Buttons: []string{"Reconnect"}},
			es: words.Text{Title: "Reconecta Pipedrive", Sentence: "Pipedrive ya no acepta el permiso dado para Nordlicht GmbH. Tus contactos siguen aquí; los cambios nuevos llegan cuando reconectes.", Buttons: []string{"Reconectar"}},
		},
		"a provider without a name is still a sentence": {
			code: words.InvalidRequest, variant: words.VariantSync, args: words.Args{Detail: "Bad"},
			en: words.Text{Title: "The provider refused the sync", Sentence: `The provider says: "Bad" The team was told; what was synced is safe.`, Buttons: []string{"Sync now"}},
			es: words.Text{Title: "El proveedor rechazó la sincronización", Sentence: `El proveedor dice: "Bad" El equipo ya fue avisado; lo sincronizado está a salvo.`, Buttons: []string{"Sincronizar ahora"}},
		},
		"the article of a missing name fits the word before it": {
			code: words.Blocked, variant: words.VariantPermission, args: words.Args{},
			en: words.Text{Title: "The provider user may not read contacts", Sentence: "Ask a provider admin for access to contacts, then check again.", Buttons: []string{"Open the provider", "Check now"}},
			es: words.Text{Title: "El usuario del proveedor no puede leer contactos", Sentence: "Pide a un administrador del proveedor acceso a los contactos y revisa de nuevo.", Buttons: []string{"Abrir el proveedor", "Revisar ahora"}},
		},
		"one contact is singular": {
			code: words.RecordSkipped, args: with(func(a *words.Args) { a.N = words.Num(1) }),
			en: words.Text{Title: "1 contact skipped", Sentence: "The rest is up to date. We try the skipped ones at every sync.", Buttons: []string{"See which"}},
			es: words.Text{Title: "1 contacto omitido", Sentence: "Lo demás está al día. Reintentamos los omitidos en cada sincronización.", Buttons: []string{"Ver cuáles"}},
		},
		"thousands are grouped, and no number leaves the noun": {
			code: words.DeletionsHeld, args: with(func(a *words.Args) { a.N = words.Num(12480) }),
			en: words.Text{Title: "12,480 contacts are missing in Pipedrive", Sentence: "That is more than usual, so we deleted nothing. Look at the sample and decide.", Buttons: []string{"Review"}},
			es: words.Text{Title: "12,480 contactos faltan en Pipedrive", Sentence: "Son más de lo habitual, así que no eliminamos nada. Mira la muestra y decide.", Buttons: []string{"Revisar"}},
		},
		"a title never shows a hole": {
			code: words.ProviderSunset, args: args,
			en: words.Text{Title: "Pipedrive retires something we use", Sentence: "Update enlace before then. Nothing changes today.", Buttons: []string{"Read more"}},
			es: words.Text{Title: "Pipedrive retira algo que usamos", Sentence: "Actualiza enlace antes de esa fecha. Hoy no cambia nada.", Buttons: []string{"Leer más"}},
		},
		"an optional clause goes with its value": {
			code: words.Cancelled, args: with(func(a *words.Args) { a.N = words.Num(0) }),
			en: words.Text{Title: "Cancelled", Sentence: "0 contacts had been synced and stay. The schedule goes on at 14:05.", Buttons: []string{"Sync now"}},
			es: words.Text{Title: "Cancelada", Sentence: "Se conservan 0 contactos sincronizados. El horario sigue a las 14:05.", Buttons: []string{"Sincronizar ahora"}},
		},
		"an optional clause stays with its value": {
			code: words.Cancelled, args: with(func(a *words.Args) { a.Name = "Ana" }),
			en: words.Text{Title: "Cancelled by Ana", Sentence: "The schedule goes on at 14:05.", Buttons: []string{"Sync now"}},
			es: words.Text{Title: "Cancelada por Ana", Sentence: "El horario sigue a las 14:05.", Buttons: []string{"Sincronizar ahora"}},
		},
		"a phrase of ours is a sentence of its own": {
			code: words.Conflict, args: with(func(a *words.Args) { a.What = words.Phrase(words.En, words.PhraseRunEnded, args) }),
			en: words.Text{Title: "It already changed", Sentence: "This sync has already ended. Nothing was done.", Buttons: []string{"Refresh"}},
			es: words.Text{Title: "Ya cambió", Sentence: "This sync has already ended. No se hizo nada.", Buttons: []string{"Actualizar"}},
		},
		"where nothing of the sentence can be said, the title says it": {
			code: words.ValidationFailed, args: with(func(a *words.Args) { a.Field = "sync_type" }),
			en: words.Text{Title: "Check sync_type", Sentence: "Check sync_type", Buttons: []string{"Edit"}},
			es: words.Text{Title: "Revisa sync_type", Sentence: "Revisa sync_type", Buttons: []string{"Editar"}},
		},
		"a share and a schedule are in words": {
			code: words.QuotaExhausted, variant: words.VariantReserve, args: with(func(a *words.Args) { a.Percent = new(20.0) }),
			en: words.Text{Title: "Waiting for Pipedrive", Sentence: "Today's share for syncing is used; the last 20% stays free for your other apps. We go on at 14:05, from here.", Buttons: []string{"See usage"}},
			es: words.Text{Title: "Esperando a Pipedrive", Sentence: "La parte de hoy para sincronizar se agotó; el último 20\u00a0% queda para tus otras apps. Seguimos a las 14:05, desde aquí.", Buttons: []string{"Ver uso"}},
		},
		"an unknown code is our fault": {
			code: "teapot", args: args,
			en: words.Text{Title: "Something failed on our side", Sentence: "The team was told. What was synced is safe; repeating is safe too.", Buttons: []string{"Try again"}},
			es: words.Text{Title: "Algo falló de nuestro lado", Sentence: "El equipo ya fue avisado. Lo sincronizado está a salvo y puedes repetir sin riesgo.", Buttons: []string{"Intentar de nuevo"}},
		},
		"an unknown variant is our fault": {
			code: words.NeedsReauth, variant: "teapot", args: args,
			en: words.Text{Title: "Something failed on our side", Sentence: "The team was told. What was synced is safe; repeating is safe too.", Buttons: []string{"Try again"}},
			es: words.Text{Title: "Algo falló de nuestro lado", Sentence: "El equipo ya fue avisado. Lo sincronizado está a salvo y puedes repetir sin riesgo.", Buttons: []string{"Intentar de nuevo"}},
		},
		"a value that looks like a template stands as it is": {
			code: words.ConnectDenied, variant: words.VariantPartial, args: with(func(a *words.Args) { a.Name = "{at}[x]" }),
			en: words.Text{Title: "Pipedrive was not connected", Sentence: "A needed permission was left out: {at}[x]. Connect again and leave it checked.", Buttons: []string{"Connect"}},
			es: words.Text{Title: "Pipedrive no se conectó", Sentence: "Faltó un permiso necesario: {at}[x]. Conecta de nuevo y deja marcado ese permiso.", Buttons: []string{"Conectar"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, tt.en, words.Render(words.En, tt.code, tt.variant, tt.args))
			require.Equal(t, tt.es, words.Render(words.Es, tt.code, tt.variant, tt.args))
			require.Equal(t, tt.en, words.Render("fr", tt.code, tt.variant, tt.args), "any other language reads as English")
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()

	at, zone := now(t)
	on := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, zone)
	}
	// Each form through a text that has it.
	say := map[string]func(words.Lang, words.Args, time.Time) string{
		"at": func(l words.Lang, a words.Args, when time.Time) string {
			a.At = when
			return strings.TrimSuffix(strings.TrimPrefix(words.MessageState(l, words.MessageFacts{Status: "read", At: when}, a).Tooltip, map[words.Lang]string{words.En: "Read ", words.Es: "Leído "}[l]), ".")
		},
		"until": func(l words.Lang, a words.Args, when time.Time) string {
			a.Provider = "X"
			label := words.RunState(l, words.RunFacts{Status: "pending", WaitingUntil: when, WaitingReason: words.WaitRateLimited}, a).Label
			return strings.TrimPrefix(label, map[words.Lang]string{words.En: "Waiting for X ", words.Es: "Esperando a X "}[l])
		},
		"since": func(l words.Lang, a words.Args, when time.Time) string {
			tip := words.ConnectionState(l, words.ConnectionFacts{Status: "paused", StatusSince: when}, a).Tooltip
			return strings.TrimSuffix(strings.TrimPrefix(tip, map[words.Lang]string{words.En: "Paused ", words.Es: "En pausa "}[l]), map[words.Lang]string{words.En: ". Nothing is lost.", words.Es: ". Nada se pierde."}[l])
		},
		"asof": func(l words.Lang, a words.Args, when time.Time) string {
			a.AsOf = when
			return strings.TrimPrefix(words.Common(l, words.CommonFresh, a), map[words.Lang]string{words.En: "Fresh ", words.Es: "Al día "}[l])
		},
		"ago": func(l words.Lang, a words.Args, when time.Time) string {
			tip := words.ConnectionState(l, words.ConnectionFacts{Status: "connected", RefreshedAt: when}, a).Tooltip
			return strings.TrimSuffix(strings.TrimPrefix(tip, map[words.Lang]string{words.En: "Permission renewed ", words.Es: "Permiso renovado "}[l]), ".")
		},
		"date": func(l words.Lang, a words.Args, when time.Time) string {
			tip := words.ConnectionState(l, words.ConnectionFacts{Status: "disconnected", StatusSince: when}, a).Tooltip
			return strings.TrimSuffix(strings.TrimPrefix(tip, map[words.Lang]string{words.En: "Contacts are kept as of ", words.Es: "Los contactos quedan como estaban el "}[l]), ".")
		},
	}

	for name, tt := range map[string]struct {
		form   string
		when   time.Time
		en, es string
	}{
		"today":                              {"at", on(11, 25, 14, 5), "at 14:05", "a las 14:05"},
		"one o'clock is singular":            {"at", on(11, 25, 1, 5), "at 01:05", "a la 1:05"},
		"midnight":                           {"at", on(11, 25, 0, 5), "at 00:05", "a las 00:05"},
		"thirteen is plural":                 {"at", on(11, 25, 13, 5), "at 13:05", "a las 13:05"},
		"tomorrow":                           {"at", on(11, 26, 9, 0), "tomorrow at 09:00", "mañana a las 09:00"},
		"tomorrow at one":                    {"at", on(11, 26, 1, 0), "tomorrow at 01:00", "mañana a la 1:00"},
		"yesterday":                          {"at", on(11, 24, 23, 59), "yesterday at 23:59", "ayer a las 23:59"},
		"this year":                          {"at", on(12, 3, 9, 0), "on 3 Dec at 09:00", "el 3 dic a las 09:00"},
		"another year":                       {"at", on(13, 3, 9, 0), "on 3 Jan 2027 at 09:00", "el 3 ene 2027 a las 09:00"},
		"in the reader's zone":               {"at", time.Date(2026, 11, 26, 5, 30, 0, 0, time.UTC), "at 23:30", "a las 23:30"},
		"until today":                        {"until", on(11, 25, 14, 5), "until 14:05", "hasta las 14:05"},
		"until one":                          {"until", on(11, 25, 1, 5), "until 01:05", "hasta la 1:05"},
		"until tomorrow":                     {"until", on(11, 26, 9, 0), "until tomorrow at 09:00", "hasta mañana a las 09:00"},
		"until a date":                       {"until", on(11, 28, 9, 0), "until 28 Nov at 09:00", "hasta el 28 nov a las 09:00"},
		"since today":                        {"since", on(11, 25, 9, 12), "since 09:12", "desde las 09:12"},
		"since yesterday":                    {"since", on(11, 24, 9, 12), "since yesterday at 09:12", "desde ayer a las 09:12"},
		"since a date":                       {"since", on(8, 2, 1, 12), "since 2 Aug at 01:12", "desde el 2 ago a la 1:12"},
		"as of today":                        {"asof", on(11, 25, 14, 5), "as of 14:05", "hasta las 14:05"},
		"as of yesterday":                    {"asof", on(11, 24, 14, 5), "as of yesterday at 14:05", "hasta ayer a las 14:05"},
		"seconds ago":                        {"ago", at.Add(-59 * time.Second), "just now", "hace un momento"},
		"by a faster clock":                  {"ago", at.Add(time.Minute), "just now", "hace un momento"},
		"a minute ago":                       {"ago", at.Add(-time.Minute), "1 min ago", "hace 1 min"},
		"minutes ago":                        {"ago", at.Add(-3 * time.Minute), "3 min ago", "hace 3 min"},
		"an hour ago is a time":              {"ago", at.Add(-time.Hour), "at 13:00", "a las 13:00"},
		"a date of this year has no year":    {"date", on(11, 2, 9, 0), "2 Nov", "2 nov"},
		"a date of another year has its own": {"date", time.Date(2025, 11, 2, 9, 0, 0, 0, zone), "2 Nov 2025", "2 nov 2025"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			args := words.Args{Now: at, Zone: zone}
			require.Equal(t, tt.en, say[tt.form](words.En, args, tt.when))
			require.Equal(t, tt.es, say[tt.form](words.Es, args, tt.when))
		})
	}

	t.Run("without a zone it says UTC", func(t *testing.T) {
		t.Parallel()

		args := words.Args{Now: at}
		require.Equal(t, "at 20:05 UTC", say["at"](words.En, args, on(11, 25, 14, 5)))
		require.Equal(t, "a las 20:05 UTC", say["at"](words.Es, args, on(11, 25, 14, 5)))
	})

	t.Run("without now it is a whole date", func(t *testing.T) {
		t.Parallel()

		args := words.Args{Zone: zone}
		require.Equal(t, "on 25 Nov 2026 at 14:05", say["at"](words.En, args, on(11, 25, 14, 5)))
		require.Equal(t, "el 25 nov 2026 a las 14:05", say["at"](words.Es, args, on(11, 25, 14, 5)))
	})
}

func TestSchedules(t *testing.T) {
	t.Parallel()

	for expression, want := range map[string][2]string{
		"@every 15m":          {"every 15 minutes", "cada 15 minutos"},
		"@every 1m":           {"every minute", "cada minuto"},
		"@every 1h":           {"every hour", "cada hora"},
		"@every 24h":          {"every 24 hours", "cada 24 horas"},
		"@every 90m":          {"every 1 h 30 min", "cada 1 h 30 min"},
		"@every 30s":          {"every 30 s", "cada 30 s"},
		"@every nonsense":     {"@every nonsense", "@every nonsense"},
		"@hourly":             {"every hour", "cada hora"},
		"@daily":              {"every day at 00:00", "todos los días a las 00:00"},
		"* * * * *":           {"every minute", "cada minuto"},
		"*/15 * * * *":        {"every 15 minutes", "cada 15 minutos"},
		"*/7 * * * *":         {"*/7 * * * *", "*/7 * * * *"},
		"0 * * * *":           {"every hour", "cada hora"},
		"5 * * * *":           {"every hour at minute 5", "cada hora en el minuto 5"},
		"0 */6 * * *":         {"every 6 hours", "cada 6 horas"},
		"0 3 * * *":           {"every day at 03:00", "todos los días a las 03:00"},
		"30 1 * * *":          {"every day at 01:30", "todos los días a la 1:30"},
		"0 3 * * 1":           {"every Monday at 03:00", "cada lunes a las 03:00"},
		"0 3 * * 7":           {"every Sunday at 03:00", "cada domingo a las 03:00"},
		"0 9 * * 1-5":         {"Monday to Friday at 09:00", "de lunes a viernes a las 09:00"},
		"0 3 1 * *":           {"on day 1 of every month at 03:00", "el día 1 de cada mes a las 03:00"},
		"0 3 1 6 *":           {"0 3 1 6 *", "0 3 1 6 *"},
		"0 9-17/2 * * 1":      {"0 9-17/2 * * 1", "0 9-17/2 * * 1"},
		"0 3 1 * 1":           {"0 3 1 * 1", "0 3 1 * 1"},
		"TZ=UTC */15 * * * *": {"TZ=UTC */15 * * * *", "TZ=UTC */15 * * * *"},
	} {
		t.Run(expression, func(t *testing.T) {
			t.Parallel()

			f := words.ConnectionFacts{Status: "connected", Schedule: expression}
			require.Equal(t, "Syncs "+want[0]+".", words.ConnectionState(words.En, f, words.Args{}).Tooltip)
			require.Equal(t, "Sincroniza "+want[1]+".", words.ConnectionState(words.Es, f, words.Args{}).Tooltip)
		})
	}
}

func TestNumbersAndDurations(t *testing.T) {
	t.Parallel()

	left := func(l words.Lang, d time.Duration) string {
		return words.Common(l, words.CommonLeft, words.Args{ETA: d})
	}
	require.Equal(t, "about 1 min 29 s left", left(words.En, 89*time.Second))
	require.Equal(t, "termina en cerca de 3 h 12 min", left(words.Es, 3*time.Hour+12*time.Minute+59*time.Second))
	require.Equal(t, "about 2 d left", left(words.En, 48*time.Hour+59*time.Minute))
	require.Equal(t, "termina en cerca de menos de 1 s", left(words.Es, time.Millisecond))
	require.Equal(t, "about 45 s left", left(words.En, 45*time.Second))

	about := func(n int64) string { return words.Common(words.En, words.CommonAbout, words.Args{Count: &n}) }
	require.Equal(t, "about 0", about(0))
	require.Equal(t, "about 999", about(999))
	require.Equal(t, "about 1,000,000", about(1_000_000))
	require.Equal(t, "about -9,223,372,036,854,775,808", about(-1<<63))

	share := func(p float64) string {
		return words.Held(words.En, words.HeldManyMissing, words.Args{Percent: &p, Missing: words.Num(1), Live: words.Num(2), Provider: "X"})
	}
	for p, want := range map[float64]string{0: "0%", 0.2: "1%", 12.4: "12%", 99.7: "99%", 100: "100%"} {
		require.Equal(t, "1 of 2 contacts no longer appear in X ("+want+").", share(p))
	}
}

func TestLines(t *testing.T) {
	t.Parallel()

	at, zone := now(t)
	args := words.Args{
		Now: at, Zone: zone, Provider: "Pipedrive", Account: "Nordlicht GmbH", At: at.Add(10 * time.Minute),
		N: words.Num(10000), Count: words.Num(2),
	}
	require.Equal(t, "Pipedrive is not answering. Try 2 of 8 at 14:10.", words.WaitingReason(words.En, words.WaitBackoff, args))
	require.Equal(t, "Pipedrive no responde. Intento 2 de 8 a las 14:10.", words.WaitingReason(words.Es, words.WaitBackoff, args))
	require.Equal(t, "Starts as soon as a worker is free.", words.WaitingReason(words.En, "from_the_future", args))

	landing := words.Landing(words.Es, words.LandingConnected, args)
	require.Empty(t, landing.Code)
	require.Equal(t, "Pipedrive está conectada: Nordlicht GmbH, 10,000 contactos. Primera sincronización a las 14:10, o ahora.", landing.Sentence)
	require.Equal(t, []string{"Sincronizar ahora"}, landing.Buttons)
	require.Equal(t, "Pipedrive is connected: Nordlicht GmbH.", words.Landing(words.En, words.LandingConnected, words.Args{Provider: "Pipedrive", Account: "Nordlicht GmbH"}).Sentence)
	require.Equal(t, words.ConnectDenied, words.Landing(words.En, words.LandingDenied, args).Code)
	forged := words.Landing(words.En, "<script>", args)
	require.Equal(t, words.ConnectInvalid, forged.Code)
	require.Equal(t, "We could not verify where this came from. Start from this page.", forged.Sentence)

	require.Equal(t, `Our database refused it: "value too long".`, words.Skipped(words.En, words.SkipRefused, words.Args{Detail: "value too long"}), "others' words are in quotes")
	require.Equal(t, `It came without an id.`, words.Skipped(words.En, words.SkipNoID, args))
	require.Equal(t, `No se entiende su fecha de cambio: "ayer".`, words.Skipped(words.Es, words.SkipBadTime, words.Args{Detail: "ayer"}))
	require.Equal(t, "There is no provider hubspot.", words.Phrase(words.En, words.PhraseUnknown, words.Args{Name: "provider hubspot"}))
	require.Empty(t, words.Phrase(words.En, "no such phrase", args))

	question := words.Confirmation(words.Es, words.AskCancelRun, words.Args{
		Now: at, Zone: zone, N: words.Num(412), Total: words.Num(10000), Duration: 20 * time.Second, At: at.Add(10 * time.Minute),
	})
	require.Equal(t, "¿Cancelar esta sincronización?", question.Title)
	require.Equal(t, "Lleva 412 contactos de 10,000 en 20 s. Se conservan. La próxima es a las 14:10.", question.Sentence)
	require.Equal(t, []string{"Continuar", "Cancelar sincronización"}, question.Buttons)
	resend := words.Confirmation(words.En, words.AskResendUnknown, words.Args{})
	require.Empty(t, resend.Sentence, "half of a condition is not said")

	require.Equal(t, "Not saved: Pipedrive is not answering. It is as before.", words.Screen(words.En, words.ScreenRolledBack, words.Args{Title: "Pipedrive is not answering"}).Sentence)
	require.Equal(t, "Nothing", words.Screen(words.En, words.ScreenContactsNoMatch, words.Args{}).Title)

	mail := words.Args{Now: at, Zone: zone, Title: "Reconecta Pipedrive", Account: "Nordlicht GmbH", At: at.Add(-288 * time.Minute), AsOf: at.Add(-5 * time.Hour), Button: "Reconectar", Link: "enlace"}
	require.Equal(t, "Reconecta Pipedrive (Nordlicht GmbH)", words.IncidentPart(words.Es, words.IncidentSubjectOpen, mail))
	require.Equal(t, "Empezó a las 09:12. Tus datos están al día hasta las 09:00.", words.IncidentPart(words.Es, words.IncidentLine2, mail))
	require.Equal(t, "Qué hacer: Reconectar, en enlace. Toma cerca de un minuto.", words.IncidentPart(words.Es, words.IncidentLine3Act, mail))
}

func TestPick(t *testing.T) {
	t.Parallel()

	for header, want := range map[string]words.Lang{
		"":                                words.En,
		"es":                              words.Es,
		"es-MX,es;q=0.9,en;q=0.8":         words.Es,
		"en-US,en;q=0.9,es;q=0.8":         words.En,
		"ES-419":                          words.Es,
		"fr,es;q=0.5":                     words.Es,
		"de":                              words.En,
		"es;q=0":                          words.En,
		"en;q=0.2, es;q=0.7":              words.Es,
		"*, es;q=0.5":                     words.En,
		"est":                             words.En,
		"es;q=NaN":                        words.En,
		"es;q=2":                          words.En,
		";;;,,,q=":                        words.En,
		"fr-CA;q=1.0, es-CO;q=0.1, *;q=0": words.Es,
	} {
		require.Equal(t, want, words.Pick(header), "%q", header)
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()

	require.Equal(t, 422, words.HTTPStatus(words.Conflict, words.VariantKeyReused))
	require.Equal(t, 409, words.HTTPStatus(words.Conflict, ""))
	require.Equal(t, 503, words.HTTPStatus(words.Internal, words.VariantDatabase))
	require.Equal(t, 500, words.HTTPStatus("teapot", ""))
	require.Equal(t, 500, words.HTTPStatus(words.Drift, ""), "never an answer")
	require.Equal(t, words.Operator, words.FactsOf(words.InvalidRequest, words.VariantSync).Who)
	require.Equal(t, words.SeverityAct, words.FactsOf(words.WebhookLost, words.VariantOutgoing).Severity)

	require.Equal(t, words.ToneWait, words.SeverityFault.Tone(false))
	require.Equal(t, words.ToneAct, words.SeverityFault.Tone(true))
	require.Equal(t, words.ToneMute, words.SeverityInfo.Tone(true))
	require.Equal(t, words.ToneWait, words.SeverityWait.Tone(true))
	require.Equal(t, words.ToneAct, words.SeverityAct.Tone(false))

	code, known := words.FromKind("a kind of next year")
	require.Equal(t, words.Internal, code)
	require.False(t, known)
	_, known = words.FromKind("drift")
	require.False(t, known, "a code that is no kind")
}
