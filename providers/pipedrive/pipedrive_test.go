package pipedrive_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/sandbox/spectest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContactSource(t *testing.T) {
	t.Parallel()

	providertest.ContactSource{
		Limits: pipedrive.New(pipedrive.Config{}).Limits, LargestPage: 500, Emails: 10, Phones: 10, Timeless: true, SaysDeleted: true,
		Account: func(t *testing.T, n int) providertest.Sandbox {
			t.Helper()
			return newAccount(t, sandbox.Config{Contacts: n}, nil)
		},
	}.Run(t)
}

// What we ask, and what the sandbox answers, is what Pipedrive's own documents describe.
func TestTrafficFollowsTheProvidersDocuments(t *testing.T) {
	t.Parallel()

	a := newAccount(t, sandbox.Config{Contacts: 700}, func(base http.RoundTripper) http.RoundTripper { return spectest.Transport(t, base) })
	source := a.Source(t, providertest.SourceOptions{})
	first, err := source.ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	for _, req := range []providers.ListRequest{{Cursor: first.Next}, {UpdatedSince: time.Now().Add(-time.Hour), Limit: 100_000}} {
		_, err = source.ListContacts(t.Context(), req)
		require.NoError(t, err)
	}
	_, _, err = source.ReadContact(t.Context(), first.Contacts[0].ExternalID)
	require.NoError(t, err)

	tokens := a.fake.IssueTokens(sandbox.DefaultCompany)
	grant, err := a.provider.OAuth.Refresh(t.Context(), "", tokens.RefreshToken)
	require.NoError(t, err)
	_, err = a.provider.OAuth.Identify(t.Context(), providers.Account{APIDomain: grant.APIDomain}, a.client)
	require.NoError(t, err)
	require.NoError(t, a.provider.OAuth.Revoke(t.Context(), "", grant.RefreshToken))
}

// account is one company of the fake, connected.
type account struct {
	fake     *sandbox.Pipedrive
	sandbox  *sandbox.Sandbox
	provider *providers.Provider
	client   *http.Client
	domain   string
	config   pipedrive.Config
}

// newAccount serves a fake of its own. wrap, if not nil, stands between the client and the line.
func newAccount(t *testing.T, cfg sandbox.Config, wrap func(http.RoundTripper) http.RoundTripper) *account {
	t.Helper()
	fake := sandbox.New(cfg)
	server := httptest.NewServer(fake.Handler())
	fake.SetBaseURL(server.URL)
	line := providers.NewTransport(0)
	t.Cleanup(func() {
		line.CloseIdleConnections()
		fake.Close()
		server.Close()
	})
	transport := providertest.Bodies(t, line)
	if wrap != nil {
		transport = wrap(transport)
	}
	a := &account{fake: fake.Pipedrive(), sandbox: fake, domain: server.URL + "/sandbox/pipedrive"}
	a.config = pipedrive.Config{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret,
		AuthBaseURL: a.domain, APIBaseURL: a.domain,
		TokenClient: &http.Client{Transport: transport},
	}
	a.provider = pipedrive.New(a.config)
	tokens := a.fake.IssueTokens(sandbox.DefaultCompany)
	a.client = &http.Client{Transport: &oauth2.Transport{Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: tokens.AccessToken}), Base: transport}}
	return a
}

// Source implements providertest.Sandbox.
func (a *account) Source(t *testing.T, o providertest.SourceOptions) providers.ContactSource {
	t.Helper()
	cfg := a.config
	cfg.Timeout = o.Timeout
	client := *a.client
	if o.Transport != nil {
		client.Transport = o.Transport(client.Transport)
	}
	return pipedrive.New(cfg).Contacts(providers.Account{ExternalID: "4242:7001", APIDomain: a.domain}, &client)
}

// Put implements providertest.Sandbox.
func (a *account) Put(t *testing.T, p providertest.Person) {
	t.Helper()
	record := map[string]any{
		"id": json.Number(p.ID), "name": p.Name, "is_deleted": false, "update_time": nil,
		"custom_fields": map[string]any{strings.Repeat("0f", 20): p.Note},
		"emails":        typed(p.Emails), "phones": typed(p.Phones),
	}
	if p.Bare {
		record = map[string]any{"id": json.Number(p.ID), "name": nil, "emails": nil, "phones": nil, "owner_id": nil, "custom_fields": nil, "update_time": nil}
	}
	if !p.UpdatedAt.IsZero() {
		record["update_time"] = p.UpdatedAt.UTC().Format(time.RFC3339)
	}
	text, err := json.Marshal(record)
	require.NoError(t, err)
	require.NoError(t, a.fake.Put(sandbox.DefaultCompany, string(text)))
}

func typed(values []string) []map[string]any {
	list := make([]map[string]any, len(values))
	for i, v := range values {
		list[i] = map[string]any{"value": v, "primary": i == 0, "label": "work"}
	}
	return list
}

// Update implements providertest.Sandbox.
func (a *account) Update(t *testing.T, id string) {
	t.Helper()
	require.True(t, a.fake.Update(sandbox.DefaultCompany, number(t, id)))
}

// Delete implements providertest.Sandbox.
func (a *account) Delete(t *testing.T, id string) {
	t.Helper()
	require.True(t, a.fake.Delete(sandbox.DefaultCompany, number(t, id)))
}

// Vanish implements providertest.Sandbox.
func (a *account) Vanish(t *testing.T, id string) {
	t.Helper()
	require.True(t, a.fake.Purge(sandbox.DefaultCompany, number(t, id)))
}

func number(t *testing.T, id string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(id, 10, 64)
	require.NoError(t, err)
	return n
}

// Living implements providertest.Sandbox.
func (a *account) Living(t *testing.T) []string {
	t.Helper()
	list, err := a.fake.Contacts(sandbox.DefaultCompany, 0, 1<<20)
	require.NoError(t, err)
	return providertest.RecordIDs(t, list)
}

// Calls implements providertest.Sandbox.
func (a *account) Calls(t *testing.T) int { t.Helper(); return a.fake.Calls()[persons] }

const persons = "/api/v2/persons"

// kinds are the fake's faults for what may go wrong.
var kinds = map[providertest.Trouble]sandbox.Kind{
	providertest.Reset: sandbox.FaultReset, providertest.Hang: sandbox.FaultHang, providertest.Drip: sandbox.FaultDrip,
	providertest.CutOff: sandbox.FaultTruncate, providertest.HalfJSON: sandbox.FaultMalformed, providertest.EmptyBody: sandbox.FaultEmpty200,
	providertest.SaysFailed: sandbox.FaultSuccessFalse, providertest.ServerError: sandbox.Fault500, providertest.BadGateway: sandbox.Fault502,
	providertest.Maintenance: sandbox.Fault503HTML, providertest.Burst: sandbox.Fault429, providertest.DaySpent: sandbox.FaultDaily429,
	providertest.TokenRefused: sandbox.Fault401, providertest.Closed: sandbox.Fault402, providertest.Firewall: sandbox.FaultHTML403,
	providertest.Retired: sandbox.Fault410, providertest.LostCursor: sandbox.FaultBadCursor,
}

// Play implements providertest.Sandbox.
func (a *account) Play(t *testing.T, trouble providertest.Trouble) {
	t.Helper()
	scripts := map[providertest.Trouble]sandbox.Answer{
		providertest.WebPage:   {Body: "<html><body>Sign in to the network</body></html>"},
		providertest.OtherJSON: {Body: `{"success":true,"data":{"items":[]}}`},
		providertest.Elsewhere: {Status: http.StatusFound, Header: http.Header{"Location": {"http://other.example.com/"}}},
	}
	if answer, ok := scripts[trouble]; ok {
		a.fake.Script(persons, answer)
		return
	}
	kind, ok := kinds[trouble]
	require.True(t, ok, "the fake cannot play %q", trouble)
	require.NoError(t, a.fake.Faults(sandbox.Fault{Path: persons, Kind: kind, Times: sandbox.Forever}))
}

// Recover implements providertest.Sandbox.
func (a *account) Recover(t *testing.T) {
	t.Helper()
	require.Zero(t, a.fake.AnswersLeft())
	require.NoError(t, a.fake.Faults())
}
