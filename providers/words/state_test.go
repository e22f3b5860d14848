package words_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/words"
)

func TestRunState(t *testing.T) {
	t.Parallel()

	at, zone := now(t)
	until := at.Add(5 * time.Minute)
	leased := at.Add(8 * time.Second)
	args := words.Args{Now: at, Zone: zone, Provider: "Pipedrive", Account: "Nordlicht GmbH", Count: words.Num(2)}

	for name, tt := range map[string]struct {
		facts  words.RunFacts
		en, es words.State
	}{
		"a requested cancel comes before everything": {
			words.RunFacts{Status: "in_progress", CancelRequested: true, WaitingUntil: until, WaitingReason: words.WaitBackoff},
			words.State{Key: "cancelling", Tone: "mute", Label: "Cancelling", Tooltip: "Ends after the page being stored."},
			words.State{Key: "cancelling", Tone: "mute", Label: "Cancelando", Tooltip: "Termina al guardar la página actual."},
		},
		"a provider that makes us wait is named with its time": {
			words.RunFacts{Status: "in_progress", LeaseUntil: leased, WaitingUntil: until, WaitingReason: words.WaitRateLimited},
			words.State{Key: "waiting_provider", Tone: "wait", Label: "Waiting for Pipedrive until 14:05", Tooltip: "Pipedrive asked us to slow down. We go on at 14:05."},
			words.State{Key: "waiting_provider", Tone: "wait", Label: "Esperando a Pipedrive hasta las 14:05", Tooltip: "Pipedrive pidió ir más despacio. Seguimos a las 14:05."},
		},
		"a wait of our own is only waiting": {
			words.RunFacts{Status: "in_progress", WaitingUntil: until, WaitingReason: words.WaitTurn},
			words.State{Key: "waiting", Tone: "mute", Label: "Waiting", Tooltip: "Paused for a moment so that others advance too."},
			words.State{Key: "waiting", Tone: "mute", Label: "En espera", Tooltip: "Cede el turno un momento para que otras avancen."},
		},
		"a pending run waits": {
			words.RunFacts{Status: "pending", WaitingReason: words.WaitAfterRun},
			words.State{Key: "waiting", Tone: "mute", Label: "Waiting", Tooltip: "Starts when the sync now running ends."},
			words.State{Key: "waiting", Tone: "mute", Label: "En espera", Tooltip: "Empieza cuando termine la que está en curso."},
		},
		"a reason of the provider without a time is only waiting": {
			words.RunFacts{Status: "pending", WaitingReason: words.WaitQuotaExhausted},
			words.State{Key: "waiting", Tone: "mute", Label: "Waiting", Tooltip: "Today's calls are spent."},
			words.State{Key: "waiting", Tone: "mute", Label: "En espera", Tooltip: "Las llamadas de hoy se agotaron."},
		},
		"a run between two slices does not flicker": {
			words.RunFacts{Status: "in_progress", LeaseUntil: at.Add(-3 * time.Second), StartedAt: at.Add(-4 * time.Minute), Pages: 1},
			words.State{Key: "running", Tone: "info", Label: "Running", Tooltip: "Started 4 min ago, 1 page read."},
			words.State{Key: "running", Tone: "info", Label: "En curso", Tooltip: "Empezó hace 4 min, 1 página leída."},
		},
		"a run without a lease for longer waits": {
			words.RunFacts{Status: "in_progress", LeaseUntil: at.Add(-3100 * time.Millisecond)},
			words.State{Key: "waiting", Tone: "mute", Label: "Waiting", Tooltip: "Starts as soon as a worker is free."},
			words.State{Key: "waiting", Tone: "mute", Label: "En espera", Tooltip: "Empieza en cuanto haya un lugar libre."},
		},
		"finished, and the counts match": {
			words.RunFacts{Status: "completed", Outcome: "finished", Synced: 10000, StartedAt: at.Add(-89 * time.Second), CompletedAt: at, CountsMatch: true},
			words.State{Key: "finished", Tone: "ok", Label: "Finished", Tooltip: "10,000 contacts in 1 min 29 s. The counts match."},
			words.State{Key: "finished", Tone: "ok", Label: "Terminada", Tooltip: "10,000 contactos en 1 min 29 s. Las cantidades coinciden."},
		},
		"finished, and nothing was compared": {
			words.RunFacts{Status: "completed", Outcome: "finished", Synced: 1, StartedAt: at.Add(-time.Second), CompletedAt: at, MissedTicks: 2},
			words.State{Key: "finished", Tone: "ok", Label: "Finished", Tooltip: "1 contact in 1 s. Covers 2 missed times."},
			words.State{Key: "finished", Tone: "ok", Label: "Terminada", Tooltip: "1 contacto en 1 s. Cubre 2 horarios perdidos."},
		},
		"a run of the earlier system has no outcome": {
			words.RunFacts{Status: "completed", Synced: 5, StartedAt: at.Add(-time.Minute), CompletedAt: at},
			words.State{Key: "finished", Tone: "ok", Label: "Finished", Tooltip: "5 contacts in 1 min."},
			words.State{Key: "finished", Tone: "ok", Label: "Terminada", Tooltip: "5 contactos en 1 min."},
		},
		"finished with skipped records": {
			words.RunFacts{Status: "completed", Outcome: "finished_with_skipped", Skipped: 3, Synced: 97},
			words.State{Key: "finished_with_skipped", Tone: "wait", Label: "Finished with 3 skipped", Tooltip: "The rest is up to date."},
			words.State{Key: "finished_with_skipped", Tone: "wait", Label: "Terminada con 3 omitidos", Tooltip: "Lo demás está al día."},
		},
		"held deletions name the run, and the skipped stand beside": {
			words.RunFacts{Status: "completed", Outcome: "deletions_held", HeldDeletions: 640, Skipped: 3},
			words.State{Key: "deletions_held", Tone: "act", Label: "Finished, deletions to review", Tooltip: "640 deletions wait for your decision. 3 contacts skipped."},
			words.State{Key: "deletions_held", Tone: "act", Label: "Terminada, eliminaciones por revisar", Tooltip: "640 eliminaciones esperan tu decisión. 3 contactos omitidos."},
		},
		"stopped early": {
			words.RunFacts{Status: "completed", Outcome: "stopped_early"},
			words.State{Key: "stopped_early", Tone: "wait", Label: "Stopped early", Tooltip: "Pipedrive's list ended before its own count. Nothing was deleted."},
			words.State{Key: "stopped_early", Tone: "wait", Label: "Terminó antes de tiempo", Tooltip: "La lista de Pipedrive acabó antes de su propio total. No se eliminó nada."},
		},
		"cancelled is no failure": {
			words.RunFacts{Status: "failed", ErrorCode: words.Cancelled, Synced: 400, NextSyncAt: until},
			words.State{Key: "cancelled", Tone: "mute", Label: "Cancelled", Tooltip: "400 contacts stay."},
			words.State{Key: "cancelled", Tone: "mute", Label: "Cancelada", Tooltip: "Se conservan 400 contactos."},
		},
		"we act, and there is a next time": {
			words.RunFacts{Status: "failed", ErrorCode: words.ProviderUnavailable, NextSyncAt: until},
			words.State{Key: "failed_retrying", Tone: "wait", Label: "Failed: we retry at 14:05", Tooltip: "We try again at 14:05. What was already synced is safe."},
			words.State{Key: "failed_retrying", Tone: "wait", Label: "Falló: reintentamos a las 14:05", Tooltip: "Lo intentamos de nuevo a las 14:05. Lo ya sincronizado está a salvo."},
		},
		"the tenant acts, whatever the schedule": {
			words.RunFacts{Status: "failed", ErrorCode: words.NeedsReauth, NextSyncAt: until},
			words.State{Key: "failed_act", Tone: "act", Label: "Failed: you need to act", Tooltip: "Pipedrive no longer accepts the permission given for Nordlicht GmbH. Your contacts stay here; new changes arrive after you reconnect."},
			words.State{Key: "failed_act", Tone: "act", Label: "Falló: te toca actuar", Tooltip: "Pipedrive ya no acepta el permiso dado para Nordlicht GmbH. Tus contactos siguen aquí; los cambios nuevos llegan cuando reconectes."},
		},
		"a variant may move the act to the operator": {
			words.RunFacts{Status: "failed", ErrorCode: words.InvalidRequest, ErrorVariant: words.VariantSync},
			words.State{Key: "failed", Tone: "wait", Label: "Failed", Tooltip: "The team was told; what was synced is safe."},
			words.State{Key: "failed", Tone: "wait", Label: "Falló", Tooltip: "El equipo ya fue avisado; lo sincronizado está a salvo."},
		},
		"a failure of the earlier system has no code": {
			words.RunFacts{Status: "failed"},
			words.State{Key: "failed", Tone: "wait", Label: "Failed"},
			words.State{Key: "failed", Tone: "wait", Label: "Falló"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, tt.en, words.RunState(words.En, tt.facts, args))
			require.Equal(t, tt.es, words.RunState(words.Es, tt.facts, args))
		})
	}
}

func TestMostSerious(t *testing.T) {
	t.Parallel()

	require.Equal(t, "finished", words.MostSerious())
	require.Equal(t, "finished_with_skipped", words.MostSerious("finished", "finished_with_skipped"))
	require.Equal(t, "stopped_early", words.MostSerious("finished_with_skipped", "stopped_early"))
	require.Equal(t, "deletions_held", words.MostSerious("stopped_early", "deletions_held", "finished_with_skipped"))
}

func TestConnectionState(t *testing.T) {
	t.Parallel()

	at, zone := now(t)
	args := words.Args{Now: at, Zone: zone, Provider: "Zoho CRM", Name: "Ana"}
	facts := words.ConnectionFacts{Status: "connected", RefreshedAt: at.Add(-3 * time.Minute), StatusSince: at.Add(-24 * time.Hour), Schedule: "@every 15m"}
	state := func(change func(*words.ConnectionFacts)) (words.State, words.State) {
		f := facts
		change(&f)
		return words.ConnectionState(words.En, f, args), words.ConnectionState(words.Es, f, args)
	}

	en, es := state(func(*words.ConnectionFacts) {})
	require.Equal(t, words.State{Key: "connected", Tone: "ok", Label: "Connected", Tooltip: "Syncs every 15 minutes. Permission renewed 3 min ago."}, en)
	require.Equal(t, words.State{Key: "connected", Tone: "ok", Label: "Conectada", Tooltip: "Sincroniza cada 15 minutos. Permiso renovado hace 3 min."}, es)

	en, _ = state(func(f *words.ConnectionFacts) { f.RefreshLeaseUntil = at.Add(time.Second) })
	require.Equal(t, words.State{Key: "renewing", Tone: "info", Label: "Renewing", Tooltip: "The permission is being renewed; this takes seconds."}, en)
	en, _ = state(func(f *words.ConnectionFacts) { f.RefreshLeaseUntil = at })
	require.Equal(t, "connected", en.Key, "a lease that has passed renews nothing")

	en, es = state(func(f *words.ConnectionFacts) { f.Status = "needs_reauth"; f.RefreshLeaseUntil = at.Add(time.Second) })
	require.Equal(t, words.State{Key: "needs_reauth", Tone: "act", Label: "Needs reconnection", Tooltip: "Zoho CRM has not accepted the permission since yesterday at 14:00."}, en)
	require.Equal(t, "Zoho CRM no acepta el permiso desde ayer a las 14:00.", es.Tooltip)

	en, es = state(func(f *words.ConnectionFacts) { f.Status = "paused" })
	require.Equal(t, words.State{Key: "paused", Tone: "mute", Label: "Paused", Tooltip: "Paused by Ana since yesterday at 14:00. Nothing is lost."}, en)
	require.Equal(t, "En pausa por Ana desde ayer a las 14:00. Nada se pierde.", es.Tooltip)

	en, _ = state(func(f *words.ConnectionFacts) { f.Status = "disconnected" })
	require.Equal(t, words.State{Key: "disconnected", Tone: "mute", Label: "Disconnected", Tooltip: "Contacts are kept as of 24 Nov."}, en)
	en, _ = state(func(f *words.ConnectionFacts) { f.Status = "teapot" })
	require.Equal(t, "disconnected", en.Key)
}

func TestMessageAndCallState(t *testing.T) {
	t.Parallel()

	at, zone := now(t)
	args := words.Args{Now: at, Zone: zone, Provider: "WhatsApp", To: "+52 55 1234 5678"}
	require.Equal(t, words.State{Key: "delivered", Tick: "✓✓", Label: "Entregado", Tooltip: "En su teléfono a las 14:00."},
		words.MessageState(words.Es, words.MessageFacts{Status: "delivered", At: at}, args))
	require.Equal(t, words.State{Key: "failed", Tick: "!", Label: "Not delivered", Tooltip: "+52 55 1234 5678 cannot be reached by WhatsApp"},
		words.MessageState(words.En, words.MessageFacts{Status: "failed", ErrorCode: words.RecipientUnavailable}, args))
	require.Empty(t, words.MessageState(words.En, words.MessageFacts{Status: "failed"}, args).Tooltip)
	require.Equal(t, "unknown", words.MessageState(words.En, words.MessageFacts{Status: "teapot"}, args).Key)

	require.Equal(t, words.State{Key: "in-progress", Label: "In call", Tooltip: "In call for 1 min 5 s."},
		words.CallState(words.En, words.CallFacts{Status: "in-progress", Duration: 65 * time.Second}, args))
	require.Equal(t, words.State{Key: "completed", Label: "Terminada"}, words.CallState(words.Es, words.CallFacts{Status: "completed"}, args))
	require.Equal(t, "Something failed on our side", words.CallState(words.En, words.CallFacts{Status: "failed", ErrorCode: words.Internal}, args).Tooltip)
}
