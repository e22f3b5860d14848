package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

// hubResource is what tests look at of the control's answer.
type hubResource struct {
	sandbox.HubSpotSettings
	Contacts        int            `json:"contacts"`
	Calls           int            `json:"calls"`
	CallsByPath     map[string]int `json:"calls_by_path"`
	TokensIssued    int            `json:"tokens_issued"`
	Refreshes       int            `json:"refreshes"`
	RateLimited     int            `json:"rate_limited"`
	Budget          int            `json:"budget"`
	BudgetRemaining int            `json:"budget_remaining"`
	Portals         []sandbox.Portal
	Faults          []sandbox.Fault
	AnswersLeft     int `json:"answers_left"`
}

func (h *hub) resource(method, path, body string) hubResource {
	h.t.Helper()
	got := h.steer(method, path, body)
	require.Equal(h.t, http.StatusOK, got.status, got.body)
	return decode[hubResource](h.t, got.body)
}

func TestHubSpotControlShowsWhatWasCountedAndSet(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 12)
	h.list("")
	h.get(hubContacts + "/" + idText(1))
	h.search(`{}`)
	h.refresh(hubToken, h.tokens.RefreshToken)
	shown := h.resource(http.MethodGet, "", "")
	require.Equal(t, 12, shown.Contacts)
	require.Equal(t, 4, shown.Calls)
	require.Equal(t, map[string]int{hubContacts: 1, hubContacts + "/{id}": 1, hubSearch: 1, hubToken: 1}, shown.CallsByPath)
	require.Equal(t, 2, shown.TokensIssued)
	require.Equal(t, 1, shown.Refreshes)
	require.Equal(t, sandbox.Unlimited, shown.BudgetRemaining)
	require.Equal(t, h.hubspot.Settings(), shown.HubSpotSettings)
	require.Len(t, shown.Portals, 3)
	require.Zero(t, h.resource(http.MethodPost, "/reset", "").Calls)
}

func TestHubSpotControlChangesSettings(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 12)
	shown := h.resource(http.MethodPatch, "", `{"contacts":30,"auto_consent":true,"webhooks":false,"latency_ms":1,"page_limit":4,"budget":25,"burst":50,
		"index_lag_ms":60000,"hide_date":true,"faults":[{"path":"/crm/v3/objects/contacts","at_call":2,"times":1,"kind":"429"}]}`)
	require.Equal(t, 30, shown.Contacts)
	require.True(t, shown.AutoConsent)
	require.False(t, shown.Webhooks)
	require.Equal(t, 25, shown.BudgetRemaining)
	require.Len(t, shown.Faults, 1)

	got := h.get(hubContacts + "?limit=10")
	require.Len(t, decode[hubPage](t, got.body).Results, 4)
	require.Equal(t, "50", got.header.Get("X-HubSpot-RateLimit-Max"))
	require.Empty(t, got.header.Get("Date"))
	require.Equal(t, http.StatusTooManyRequests, h.get(hubContacts).status)
	require.True(t, h.hubspot.Delete(0, hubID))
	require.Equal(t, 30, *h.search(`{}`).Total, "the index lags")
	h.resource(http.MethodPatch, "", `{"advance_seconds":60}`)
	require.Equal(t, 29, *h.search(`{}`).Total)

	shown = h.resource(http.MethodPatch, "", `{"page_limit":0}`)
	require.True(t, shown.AutoConsent, "what is not named stays")
	require.Empty(t, shown.Faults, "played")
	require.Equal(t, 22, shown.BudgetRemaining)

	shown = h.resource(http.MethodPatch, "", `{"portal":4243,"contacts":2}`)
	require.Equal(t, 29, shown.Portals[0].Contacts)
	require.Equal(t, 2, shown.Portals[1].Contacts)
}

func TestHubSpotControlScriptsAnswersAndTheSecret(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 3)
	shown := h.resource(http.MethodPatch, "", `{"client_secret":"other","answers":[{"path":"/crm/v3/objects/contacts","status":477,"headers":{"retry-after":"60"},"body":{"status":"error"}}]}`)
	require.Equal(t, 1, shown.AnswersLeft)
	got := h.get(hubContacts)
	require.Equal(t, 477, got.status)
	require.Equal(t, "60", got.header.Get("Retry-After"))
	require.JSONEq(t, `{"status":"error"}`, got.body)
	require.Contains(t, h.refresh(hubToken, h.tokens.RefreshToken).body, "invalid_client")
}

func TestHubSpotControlChangesContacts(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 10)
	act := func(path, body string) string {
		got := h.steer(http.MethodPost, path, body)
		require.Equal(t, http.StatusOK, got.status, got.body)
		return got.body
	}
	done := decode[sandbox.Mutated](t, act("/mutate", `{"create":2,"update":3,"delete":2,"purge":1}`))
	require.Equal(t, hubIDs(11, 12), done.Created)
	require.Equal(t, midday.Add(120*time.Millisecond), done.At)
	require.Len(t, h.list("").Results, 9)
	require.Equal(t, done.Deleted, h.list("archived=true").ids(t))

	one, other := done.Created[0], done.Created[1]
	merged := decode[sandbox.Merged](t, act("/merge", fmt.Sprintf(`{"primary":%d,"other":%d}`, one, other)))
	require.Equal(t, sandbox.Merged{Primary: one, Other: other, Survivor: hubID + 12, Lost: []int64{one, other}}, merged)
	require.JSONEq(t, fmt.Sprintf(`{"restored":[%d]}`, done.Deleted[0]), act("/restore", fmt.Sprintf(`{"ids":[%d]}`, done.Deleted[0])))
	require.JSONEq(t, fmt.Sprintf(`{"restored":[%d]}`, done.Deleted[1]), act("/restore", ""), "all that are left")
	require.JSONEq(t, fmt.Sprintf(`{"erased":[%d]}`, merged.Survivor), act("/erase", fmt.Sprintf(`{"ids":[%d,%d]}`, merged.Survivor, one)))
	require.Len(t, h.list("").Results, 9)
	require.Len(t, decode[sandbox.Merged](t, act("/merge", `{"portal":4243}`)).Lost, 2)
	require.Equal(t, 9, h.hubspot.Portals()[1].Contacts)

	require.JSONEq(t, `{"expired":true}`, act("/expire", ""))
	require.Contains(t, h.get(hubContacts).body, "EXPIRED_AUTHENTICATION")
	require.JSONEq(t, `{"revoked":0}`, act("/revoke", `{"portal":4243}`))
	require.JSONEq(t, `{"revoked":1}`, act("/revoke", `{"portal":4242}`))
	require.Contains(t, h.refresh(hubToken, h.tokens.RefreshToken).body, "invalid_grant")
}

func TestHubSpotControlListsTheEndState(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 10)
	require.True(t, h.hubspot.Delete(0, hubID+3))
	require.True(t, h.hubspot.Purge(0, hubID+4))
	h.put(midday, 501)
	require.NoError(t, h.hubspot.SetContacts(4243, 2))
	walk := func(portal string) []int64 {
		seen := []int64{}
		after := "0"
		for {
			got := h.steer(http.MethodGet, "/contacts?limit=3&after="+after+portal, "")
			require.Equal(t, http.StatusOK, got.status, got.body)
			list := decode[struct {
				Items      []hubContact `json:"items"`
				NextCursor *string      `json:"next_cursor"`
			}](t, got.body)
			for _, c := range list.Items {
				seen = append(seen, c.number(t))
			}
			if list.NextCursor == nil {
				return seen
			}
			after = *list.NextCursor
		}
	}
	require.Equal(t, append([]int64{501}, hubIDs(1, 2, 3, 6, 7, 8, 9, 10)...), walk(""))
	require.Equal(t, hubIDs(1, 2), walk("&portal=4243"))

	list, err := h.hubspot.Contacts(0, hubID, 1)
	require.NoError(t, err)
	var shown hubContact
	require.NoError(t, json.Unmarshal(list[0], &shown))
	require.Equal(t, hubID+1, shown.number(t))
	require.Contains(t, shown.Properties, "mobilephone", "all properties")
	_, err = h.hubspot.Contacts(9, 0, 1)
	require.ErrorContains(t, err, "no portal 9")
}

func TestHubSpotControlRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 10)
	before := h.steer(http.MethodGet, "", "").body
	for name, test := range map[string]struct{ method, path, body, detail string }{
		"an unknown field":         {"PATCH", "", `{"contact":3}`, `unknown field \"contact\"`},
		"an unknown kind":          {"PATCH", "", `{"contacts":3,"faults":[{"kind":"explode"}]}`, `unknown kind \"explode\"`},
		"fewer than no contacts":   {"PATCH", "", `{"contacts":-1}`, "must not be negative"},
		"a negative lag":           {"PATCH", "", `{"index_lag_ms":-1}`, "index_lag_ms"},
		"a negative search burst":  {"PATCH", "", `{"search_burst":-1}`, "search_burst"},
		"an unknown portal":        {"PATCH", "", `{"portal":1,"contacts":3}`, "no portal 1"},
		"consent for nobody":       {"PATCH", "", `{"consent_portal":1}`, "does not exist"},
		"consent for no one":       {"PATCH", "", `{"consent_portal":0}`, "does not exist"},
		"a budget below none":      {"PATCH", "", `{"budget":-2}`, "budget must be"},
		"tokens that are dead":     {"PATCH", "", `{"token_life_seconds":0}`, "token_life_seconds"},
		"an unknown reading":       {"PATCH", "", `{"lost_id":"maybe"}`, "survivor, gone"},
		"an unknown form":          {"PATCH", "", `{"token_errors":"xml"}`, "path, status, oauth, html"},
		"an unknown silence":       {"PATCH", "", `{"batch_missing":"loud"}`, "errors, silent"},
		"an unknown filter":        {"PATCH", "", `{"unknown_filter":"all"}`, "error, nothing"},
		"an answer to nothing":     {"PATCH", "", `{"contacts":3,"answers":[{"status":200}]}`, "answers[0]"},
		"too many changes":         {"POST", "/mutate", `{"update":11}`, "only 10 live"},
		"changes of nobody":        {"POST", "/mutate", `{"portal":9,"update":1}`, "no portal 9"},
		"a merge with itself":      {"POST", "/merge", fmt.Sprintf(`{"primary":%d,"other":%d}`, hubID, hubID), "two that live"},
		"a restore of the living":  {"POST", "/restore", fmt.Sprintf(`{"ids":[%d]}`, hubID), "none of these"},
		"an unknown way to erase":  {"POST", "/erase", `{"id":1}`, "unknown field"},
		"a list of nobody":         {"GET", "/contacts?portal=9", "", "no portal 9"},
		"a page that is too long":  {"GET", "/contacts?limit=10001", "", "limit"},
		"a restore without portal": {"POST", "/restore", `{"portal":9}`, "no portal 9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := h.with(t)
			got := h.steer(test.method, test.path, test.body)
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
			require.Contains(t, got.body, test.detail)
			require.Equal(t, before, h.steer(http.MethodGet, "", "").body, "nothing changed")
		})
	}
}

func TestHubSpotManyClientsAtOnce(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 500)
	h.set(func(s *sandbox.HubSpotSettings) { s.IndexLagMS = 1000 })
	for i := range 6 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()

			mine := h.with(t)
			require.NotEmpty(t, mine.walkList("limit=100", func(int) {
				_, err := mine.hubspot.Mutate(0, sandbox.Mutation{Create: 1, Update: 2, Delete: 1})
				require.NoError(t, err)
				_, err = mine.hubspot.Merge(0, 0, 0)
				require.NoError(t, err)
				mine.search(`{"sorts":["lastmodifieddate"]}`)
			}))
			require.Equal(t, http.StatusOK, mine.refresh(hubToken, h.tokens.RefreshToken).status)
			require.Equal(t, http.StatusOK, mine.steer(http.MethodGet, "", "").status)
		})
	}
}
