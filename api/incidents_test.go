package api_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

// incident is one as it is answered.
type incident struct {
	ID, Code, Title, Sentence, Since, Link, Severity string

	WhatToDo string     `json:"what_to_do"`
	Times    int        `json:"times"`
	ClosedAt *time.Time `json:"closed_at"`
}

func (w *crmWorld) incidents(t *testing.T, key, query string) []incident {
	t.Helper()
	var list struct{ Items []incident }
	got := w.do(t, ask{path: "/v1/incidents?" + query, key: key})
	require.Equal(t, http.StatusOK, got.StatusCode)
	decode(t, got, &list)
	return list.Items
}

// One incident per cause, however many jobs hit it; it says what happened, since when, what to do and where, and closes by
// itself.
func TestIncidentsOpenOnceAndCloseByThemselves(t *testing.T) {
	t.Parallel()

	eachCRM(t, 5, func(t *testing.T, w *crmWorld) {
		t.Helper()
		require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
		require.Empty(t, w.incidents(t, w.key, "open=true"))

		// the provider has retired what we ask, for three runs
		require.NoError(t, w.crm.faults(sandbox.Fault{Path: w.crm.lists(), Kind: w.crm.retired(), Times: 3}))
		var failed []store.Run
		for range 3 {
			run := w.sync(t, store.Full)
			require.Equal(t, "misconfigured", value(run.ErrorCode), "%+v", run)
			failed = append(failed, run)
		}
		open := w.incidents(t, w.key, "open=true")
		require.Len(t, open, 1)
		require.Equal(t, "misconfigured", open[0].Code)
		require.Equal(t, 3, open[0].Times)
		require.NotEmpty(t, open[0].Title)
		require.NotEmpty(t, open[0].Sentence)
		require.Contains(t, open[0].Since, "It began")
		require.Contains(t, open[0].Since, "Your data is fresh as of")
		require.Contains(t, open[0].WhatToDo, "Nothing to do", "it is ours to mend")
		link, err := url.Parse(open[0].Link)
		require.NoError(t, err)
		require.Equal(t, dashboard+"/settings", link.Scheme+"://"+link.Host+link.Path)
		require.Equal(t, w.id.String(), link.Query().Get("integration_id"))
		require.Equal(t, failed[2].ID.String(), link.Query().Get("run_id"))
		require.Equal(t, open[0].ID, link.Query().Get("enlace_incident"))
		operator := w.incidents(t, adminKey, "open=true")
		require.Len(t, operator, 1)
		require.Contains(t, operator[0].WhatToDo, "enlace doctor")
		require.Empty(t, w.incidents(t, w.otherKey, ""))
		require.Equal(t, http.StatusNotFound, w.do(t, ask{path: "/v1/incidents/" + open[0].ID, key: w.otherKey}).StatusCode)

		require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
		require.Empty(t, w.incidents(t, w.key, "open=true"))
		var one incident
		decode(t, w.do(t, ask{path: "/v1/incidents/" + open[0].ID, key: w.key}), &one)
		require.NotNil(t, one.ClosedAt)
		require.Contains(t, one.WhatToDo, "It lasted")
	})
}

// Each cause has a button, a sentence and a place.
func TestEveryIncidentSaysWhatToDo(t *testing.T) {
	t.Parallel()

	w := newCRMWorld(t, 1, crms()["pipedrive"])
	codes := []string{"needs_reauth", "quota_exhausted", "provider_unavailable", "misconfigured", "blocked", "deletions_held", "webhook_lost", "schema_changed", "drift"}
	for _, code := range codes {
		storetest.OpenIncident(t, w.store, w.tenant, w.id, code)
	}
	for _, lang := range []string{"en", "es"} {
		for _, key := range []string{w.key, adminKey} {
			var list struct{ Items []incident }
			decode(t, w.do(t, ask{path: "/v1/incidents?open=true", key: key, header: map[string]string{"Accept-Language": lang}}), &list)
			require.Len(t, list.Items, len(codes))
			for _, n := range list.Items {
				for what, text := range map[string]string{"title": n.Title, "sentence": n.Sentence, "since": n.Since, "what_to_do": n.WhatToDo, "link": n.Link} {
					require.NotEmpty(t, text, "%s %s %s", lang, n.Code, what)
					require.NotRegexp(t, `[{}]`, text)
				}
				if n.Severity == "act" {
					require.Contains(t, n.WhatToDo, n.Link)
				}
			}
		}
	}
}

// On reconnect, what has waited is caught up without anybody's doing, and the incident is closed.
func TestReconnectingCatchesUpByItself(t *testing.T) {
	t.Parallel()

	eachCRM(t, 5, func(t *testing.T, w *crmWorld) {
		t.Helper()
		require.Equal(t, store.Finished, value(w.sync(t, store.Full).Outcome))
		_, err := w.store.RefuseTokens(t.Context(), w.id, 1, store.Refusal{Variant: "revoked"})
		require.NoError(t, err)
		require.Equal(t, []string{"needs_reauth"}, w.openIncidents(t))
		open := w.incidents(t, w.key, "open=true")
		require.Contains(t, open[0].WhatToDo, "Reconnect")
		w.crm.mutate(t, sandbox.Mutation{Create: 2})
		w.reconnect(t)
		require.Empty(t, w.openIncidents(t))
		w.eventually(t, func() bool { return w.liveContacts(t) == 7 })
		w.requireSame(t)
	})
}
