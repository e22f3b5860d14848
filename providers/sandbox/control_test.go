package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func (b *bundle) steer(method, path, body string) answer {
	b.t.Helper()
	return b.send(method, b.control+path, "application/json", body, nil)
}

// resource is what tests look at of the control's answer.
type resource struct {
	Contacts        int            `json:"contacts"`
	Calls           int            `json:"calls"`
	CallsByPath     map[string]int `json:"calls_by_path"`
	InFlightMax     int            `json:"in_flight_max"`
	TokensIssued    int            `json:"tokens_issued"`
	Refreshes       int            `json:"refreshes"`
	RateLimited     int            `json:"rate_limited"`
	AutoConsent     bool           `json:"auto_consent"`
	PageLimit       int            `json:"page_limit"`
	Budget          int            `json:"budget"`
	BudgetRemaining int            `json:"budget_remaining"`
	Faults          []sandbox.Fault
	AnswersLeft     int `json:"answers_left"`
	Companies       []sandbox.Company
}

func TestControlShowsWhatWasCountedAndSet(t *testing.T) {
	t.Parallel()

	b := bare(t, 12)
	b.list("")
	b.get(persons + "/1")
	b.refresh(b.tokens.RefreshToken)
	got := b.steer(http.MethodGet, "", "")
	require.Equal(t, http.StatusOK, got.status)
	for _, name := range []string{"contacts", "calls", "calls_by_path", "tokens_issued", "refreshes", "messages_received", "calls_placed", "duplicates_received", "webhooks", "latency_ms"} {
		require.Contains(t, got.body, `"`+name+`":`)
	}
	shown := decode[resource](t, got.body)
	require.Equal(t, 12, shown.Contacts)
	require.Equal(t, 3, shown.Calls)
	require.Equal(t, map[string]int{"/api/v2/persons": 1, "/api/v2/persons/{id}": 1, "/oauth/token": 1}, shown.CallsByPath)
	require.Equal(t, 1, shown.InFlightMax)
	require.Equal(t, 2, shown.TokensIssued)
	require.Equal(t, 1, shown.Refreshes)
	require.Len(t, shown.Companies, 3)

	require.Zero(t, decode[resource](t, b.steer(http.MethodPost, "/reset", "").body).Calls)
}

func TestControlChangesSettings(t *testing.T) {
	t.Parallel()

	b := bare(t, 12)
	got := b.steer(http.MethodPatch, "", `{"contacts":30,"auto_consent":true,"webhooks":false,"latency_ms":1,"page_limit":4,"budget":25,
		"faults":[{"path":"/api/v2/persons","at_call":2,"times":1,"kind":"429"}]}`)
	require.Equal(t, http.StatusOK, got.status, got.body)
	shown := decode[resource](t, got.body)
	require.Equal(t, 30, shown.Contacts)
	require.True(t, shown.AutoConsent)
	require.Equal(t, 25, shown.BudgetRemaining)
	require.Equal(t, []sandbox.Fault{{Path: persons, AtCall: 2, Times: 1, Kind: sandbox.Fault429}}, shown.Faults)

	require.Len(t, b.list("limit=10").Data, 4)
	require.Equal(t, http.StatusTooManyRequests, b.get(persons).status)
	shown = decode[resource](t, b.steer(http.MethodPatch, "", `{"page_limit":0}`).body)
	require.True(t, shown.AutoConsent, "what is not named stays")
	require.Empty(t, shown.Faults, "played")
	require.Equal(t, 15, shown.BudgetRemaining)
	require.Equal(t, 1, shown.RateLimited)
}

func TestControlSetsContacts(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	require.True(t, b.pipedrive.Update(0, 3))
	changed := b.get(persons + "/3").body
	b.steer(http.MethodPatch, "", `{"contacts":10}`)
	require.Equal(t, changed, b.get(persons+"/3").body, "as many live there already")
	b.steer(http.MethodPatch, "", `{"contacts":11}`)
	require.NotEqual(t, changed, b.get(persons+"/3").body)

	shown := decode[resource](t, b.steer(http.MethodPatch, "", `{"company":4243,"contacts":2}`).body)
	require.Equal(t, 11, shown.Companies[0].Contacts)
	require.Equal(t, 2, shown.Companies[1].Contacts)
}

func TestControlScriptsAnswers(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	got := b.steer(http.MethodPatch, "", `{"answers":[
		{"path":"/api/v2/persons","status":403,"headers":{"content-type":"text/html"},"body":"<html>no</html>"},
		{"path":"/api/v2/persons","body":{"success":true,"data":[]}}]}`)
	require.Equal(t, 2, decode[resource](t, got.body).AnswersLeft)
	first := b.get(persons)
	require.Equal(t, http.StatusForbidden, first.status)
	require.Equal(t, "text/html", first.header.Get("Content-Type"))
	require.Equal(t, "<html>no</html>", first.body)
	require.JSONEq(t, `{"success":true,"data":[]}`, b.get(persons).body)
	require.Len(t, b.list("").Data, 10)
}

func TestControlMutates(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	got := b.steer(http.MethodPost, "/mutate", `{"create":2,"update":3,"delete":4}`)
	require.Equal(t, http.StatusOK, got.status, got.body)
	done := decode[sandbox.Mutated](t, got.body)
	require.Equal(t, []int64{11, 12}, done.Created)
	require.Len(t, done.Updated, 3)
	require.Len(t, done.Deleted, 4)
	require.Len(t, b.list("updated_since="+midday.Format(time.RFC3339)).Data, 5)
	require.Equal(t, 8, decode[resource](t, b.steer(http.MethodGet, "", "").body).Contacts)

	b.steer(http.MethodPost, "/mutate", `{"create":1,"company":4243}`)
	require.Equal(t, 11, b.pipedrive.Companies()[1].Contacts)
}

func TestControlListsTheEndState(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	require.True(t, b.pipedrive.Delete(0, 4))
	require.True(t, b.pipedrive.Purge(0, 5))
	b.configure(func(s *sandbox.PipedriveSettings) { s.Visible = 2 })
	var seen []int64
	after := "0"
	for pages := 1; ; pages++ {
		got := b.steer(http.MethodGet, "/contacts?limit=3&after="+after, "")
		require.Equal(t, http.StatusOK, got.status)
		list := decode[struct {
			Items      []contact
			NextCursor *string `json:"next_cursor"`
		}](t, got.body)
		seen = append(seen, ids(list.Items)...)
		require.NotEmpty(t, list.Items[0].Emails)
		if list.NextCursor == nil {
			require.Equal(t, 3, pages)
			break
		}
		after = *list.NextCursor
	}
	require.Equal(t, []int64{1, 2, 3, 6, 7, 8, 9, 10}, seen, "hidden ones live at the provider all the same")

	list, err := b.pipedrive.Contacts(0, 8, 5)
	require.NoError(t, err)
	require.Len(t, list, 2)
}

func TestControlEndsGrants(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPost, "/expire", `{"x":1}`).status)
	require.Equal(t, http.StatusOK, b.get(persons).status, "what is refused does nothing")
	require.JSONEq(t, `{"expired":true}`, b.steer(http.MethodPost, "/expire", "").body)
	require.Equal(t, http.StatusUnauthorized, b.get(persons).status)
	require.Equal(t, http.StatusOK, b.refresh(b.tokens.RefreshToken).status)
	require.JSONEq(t, `{"revoked":1}`, b.steer(http.MethodPost, "/revoke", "{}").body)
	require.Equal(t, http.StatusBadRequest, b.refresh(b.tokens.RefreshToken).status)
	require.Contains(t, b.steer(http.MethodPost, "/uninstall", "{}").body, "callback_url")
}

func TestControlMovesTheClock(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	b.steer(http.MethodPatch, "", `{"advance_seconds":-90}`)
	require.Equal(t, midday.Add(-90*time.Second), b.sandbox.Now())
}

func TestControlRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	before := b.steer(http.MethodGet, "", "").body
	for name, test := range map[string]struct{ method, path, body, detail string }{
		"an unknown field":             {"PATCH", "", `{"contact":3}`, `unknown field \"contact\"`},
		"an unknown field of a fault":  {"PATCH", "", `{"faults":[{"kind":"429","after":3}]}`, `unknown field \"after\"`},
		"an unknown kind":              {"PATCH", "", `{"contacts":3,"faults":[{"kind":"explode"}]}`, `unknown kind \"explode\"`},
		"a wrong type":                 {"PATCH", "", `{"contacts":"many"}`, "cannot unmarshal"},
		"no JSON":                      {"PATCH", "", `contacts=3`, "not what this takes"},
		"two values":                   {"PATCH", "", `{}{}`, "more than one"},
		"fewer than no contacts":       {"PATCH", "", `{"contacts":-1}`, "must not be negative"},
		"a negative wait":              {"PATCH", "", `{"latency_ms":-1}`, "must not be negative"},
		"an end that is none":          {"PATCH", "", `{"last_page":"never"}`, "null, absent or bare"},
		"an unknown company":           {"PATCH", "", `{"company":1,"contacts":3}`, "no company 1"},
		"consent for nobody":           {"PATCH", "", `{"consent_company":1}`, "does not exist"},
		"a budget below none":          {"PATCH", "", `{"budget":-2}`, "budget must be"},
		"a domain with a slash":        {"PATCH", "", `{"contacts":3,"company_domain":"a/b"}`, "lower-case"},
		"an answer to nothing":         {"PATCH", "", `{"contacts":3,"answers":[{"status":200}]}`, "answers[0]"},
		"a fault before its time":      {"PATCH", "", `{"faults":[{"kind":"429","at_call":-1}]}`, "at_call"},
		"a fault without a slash":      {"PATCH", "", `{"faults":[{"kind":"429","path":"api"}]}`, "slash"},
		"too many changes":             {"POST", "/mutate", `{"update":11}`, "only 10 live"},
		"a negative number":            {"POST", "/mutate", `{"create":-1}`, "must not be negative"},
		"an unknown change":            {"POST", "/mutate", `{"rename":1}`, "unknown field"},
		"an unknown company to revoke": {"POST", "/revoke", `{"tenant":1}`, "unknown field"},
		"a list of nobody":             {"GET", "/contacts?company=9", "", "no company 9"},
		"a page of nothing":            {"GET", "/contacts?limit=0", "", "limit"},
		"a place in words":             {"GET", "/contacts?after=x", "", "whole number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			mine := *b
			mine.t = t
			got := mine.steer(test.method, test.path, test.body)
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
			require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
			require.Contains(t, got.body, test.detail)
			require.Contains(t, got.body, `"code":"invalid_request"`)
			require.Equal(t, before, mine.steer(http.MethodGet, "", "").body, "nothing changed")
		})
	}
	unknown := b.send(http.MethodGet, strings.Replace(b.control, "pipedrive", "nobody", 1), "", "", nil)
	require.Equal(t, http.StatusNotFound, unknown.status)
	require.Contains(t, unknown.body, fmt.Sprint(http.StatusNotFound))
}
