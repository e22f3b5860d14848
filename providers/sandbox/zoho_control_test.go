package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

// zohoResource is what tests look at of the control's answer.
type zohoResource struct {
	Contacts        int               `json:"contacts"`
	Calls           int               `json:"calls"`
	CallsByPath     map[string]int    `json:"calls_by_path"`
	CreditsUsed     int               `json:"credits_used"`
	CreditsByPath   map[string]int    `json:"credits_by_path"`
	Budget          int               `json:"budget"`
	BudgetRemaining int               `json:"budget_remaining"`
	BulkJobs        int               `json:"bulk_jobs"`
	BulkPage        int               `json:"bulk_page"`
	WebhooksSent    int               `json:"webhooks_sent"`
	WebhookSpeed    int               `json:"webhook_speed"`
	AnswersLeft     int               `json:"answers_left"`
	Orgs            []sandbox.ZohoOrg `json:"orgs"`
	Channels        []sandbox.ZohoChannel
	Faults          []sandbox.Fault
	Now             time.Time
}

func (b *zohoBundle) steered(method, path, body string) zohoResource {
	b.t.Helper()
	got := b.steer(method, path, body)
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	return decode[zohoResource](b.t, got.body)
}

func TestZohoControlShowsWhatWasCountedAndSet(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 12)
	b.list("")
	b.get(allContacts + "/" + b.zoho.ContactID(0, 1))
	b.createBulk("")
	b.refreshAt(b.accounts, b.refresh)
	b.enable("5", "http://127.0.0.1:1/x", "Contacts.all", "")
	shown := b.steered(http.MethodGet, "", "")
	require.Equal(t, 12, shown.Contacts)
	require.Equal(t, map[string]int{
		"/crm/v8/Contacts": 1, "/crm/v8/Contacts/{id}": 1, "/crm/bulk/v8/read": 1, "/crm/v8/actions/watch": 1, "/oauth/v2/token": 1,
	}, shown.CallsByPath)
	require.Equal(t, 53, shown.CreditsUsed)
	require.Equal(t, 50, shown.CreditsByPath["/crm/bulk/v8/read"])
	require.Equal(t, shown.Budget-53, shown.BudgetRemaining)
	require.Equal(t, 1, shown.BulkJobs)
	require.Len(t, shown.Channels, 1)
	require.Equal(t, "5", shown.Channels[0].ChannelID)
	require.Len(t, shown.Orgs, 3)
	require.Equal(t, "eu", shown.Orgs[0].DC)
	require.Equal(t, "us", shown.Orgs[1].DC)
	log := b.zoho.Requests()
	require.Equal(t, "org 60010001 user "+shown.Orgs[0].UserID, log[0].Grant)
	require.NotContains(t, fmt.Sprint(log), b.access)

	shown = b.steered(http.MethodPost, "/reset", "")
	require.Zero(t, shown.Calls)
	require.Empty(t, shown.CreditsByPath)
	require.Equal(t, 53, shown.CreditsUsed, "spent is spent")
}

func TestZohoControlChangesSettings(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 12)
	shown := b.steered(http.MethodPatch, "", `{"contacts":7,"org":60010001,"budget":90,"bulk_page":5,"webhook_speed":4,"advance_seconds":60,
		"client_secrets":{"eu":"european"},"faults":[{"path":"/crm/v8/org","kind":"429"}],"answers":[{"path":"/crm/v8/users","status":503,"body":"down"}]}`)
	require.Equal(t, 7, shown.Contacts)
	require.Equal(t, 12, shown.Orgs[1].Contacts)
	require.Equal(t, 90, shown.Budget)
	require.Equal(t, 5, shown.BulkPage)
	require.Equal(t, 4, shown.WebhookSpeed)
	require.Equal(t, 1, shown.AnswersLeft)
	require.Len(t, shown.Faults, 1)
	require.Equal(t, midday.Add(time.Minute), shown.Now)
	require.Equal(t, "invalid_client_secret", b.word(b.refreshAt(b.accounts, b.refresh)))
	require.Equal(t, http.StatusTooManyRequests, b.get("/crm/v8/org").status)
	require.Equal(t, http.StatusServiceUnavailable, b.get("/crm/v8/users").status)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/users").status)

	for _, body := range []string{
		`{"unknown":1}`, `{"contacts":-1}`, `{"org":1}`, `{"budget":-2}`, `{"client_secrets":{"mars":"x"}}`, `{"faults":[{"kind":"nonsense"}]}`,
		`{"answers":[{"path":"x"}]}`, `{"bulk_page":0}`, `{"bulk_polls":-1}`, `{"unchanged_status":200}`, `{"absent_status":200}`,
		`{"watch_error_status":500}`, `{"expires_in":"days"}`, `{"scope":"nonsense"}`, `{"consent_org":7}`, `{"org_type":"x"}`, `{"webhook_concurrency":11}`,
		`{"bulk_page":9,"contacts":-1}`,
	} {
		got := b.steer(http.MethodPatch, "", body)
		require.Equal(t, http.StatusBadRequest, got.status, body)
	}
	require.Equal(t, 5, b.zoho.Settings().BulkPage, "all of a patch or nothing")
}

func TestZohoControlActs(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 12)
	g := b.target()
	b.enable("5", g.url, "Contacts.all", "")
	got := b.steer(http.MethodPost, "/mutate", `{"update":2,"delete":1,"purge":1,"create":3}`)
	require.Equal(t, http.StatusOK, got.status, got.body)
	done := decode[sandbox.ZohoMutated](t, got.body)
	require.Len(t, done.Created, 3)
	require.Len(t, g.all(), 4)
	require.JSONEq(t, `{"queued":4}`, b.steer(http.MethodPost, "/replay", "").body)
	require.Len(t, g.all(), 8)
	require.Equal(t, 8, b.steered(http.MethodGet, "", "").WebhooksSent)

	require.Equal(t, http.StatusOK, b.steer(http.MethodPost, "/restore", fmt.Sprintf(`{"id":%q}`, done.Deleted[0])).status)
	require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPost, "/restore", fmt.Sprintf(`{"id":%q}`, done.Purged[0])).status)
	merge := fmt.Sprintf(`{"winner":%q,"loser":%q}`, done.Created[0], done.Created[1])
	require.Equal(t, http.StatusOK, b.steer(http.MethodPost, "/merge", merge).status)
	require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPost, "/merge", merge).status)
	require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPost, "/expire", `{"x":1}`).status)
	require.Equal(t, http.StatusOK, b.get("/crm/v8/org").status, "what is refused does nothing")
	require.JSONEq(t, `{"expired":true}`, b.steer(http.MethodPost, "/expire", "").body)
	require.Equal(t, http.StatusUnauthorized, b.get("/crm/v8/org").status)
	require.JSONEq(t, `{"revoked":1}`, b.steer(http.MethodPost, "/revoke", "").body)
	require.Equal(t, "invalid_code", b.word(b.refreshAt(b.accounts, b.refresh)))
	for action, body := range map[string]string{"mutate": `{"update":99}`, "revoke": `{"org":1}`, "replay": `{"times":0}`, "expire": `{"x":1}`} {
		require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPost, "/"+action, body).status, action)
	}
}

func TestZohoControlListsTheEndState(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 12)
	require.True(t, b.zoho.Delete(0, b.zoho.ContactID(0, 3)))
	var all []string
	after := ""
	for range 10 {
		got := b.steer(http.MethodGet, "/contacts?org=60010001&limit=5&after="+after, "")
		require.Equal(t, http.StatusOK, got.status, got.body)
		page := decode[struct {
			Items []json.RawMessage
			Next  *string `json:"next_cursor"`
		}](t, got.body)
		for _, item := range page.Items {
			all = append(all, string(item))
		}
		if page.Next == nil {
			break
		}
		after = *page.Next
	}
	want, err := b.zoho.Contacts(0, "", 100)
	require.NoError(t, err)
	require.Len(t, all, 11)
	for i, item := range want {
		require.JSONEq(t, string(item), all[i])
	}
	require.NotContains(t, strings.Join(all, ""), b.zoho.ContactID(0, 3))
}
