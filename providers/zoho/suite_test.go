package zoho_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
)

func TestContactSource(t *testing.T) {
	t.Parallel()

	for _, way := range []zoho.Mode{zoho.List, zoho.Keyset} {
		t.Run(string(way), func(t *testing.T) {
			t.Parallel()

			largest := map[zoho.Mode]int{zoho.List: 200, zoho.Keyset: 2000}[way]
			providertest.ContactSource{
				Limits: zoho.New(zoho.Config{}).Limits, LargestPage: largest, Emails: 2, Phones: 5, Timeless: true,
				Account: func(t *testing.T, n int) providertest.Sandbox { t.Helper(); return newAccount(t, n, way) },
			}.Run(t)
		})
	}
}

// All ways of a sweep bring the same contacts, and the export goes on anywhere in another process.
func TestWaysOfASweepAgree(t *testing.T) {
	t.Parallel()

	a := newAccount(t, 700, zoho.List)
	require.NoError(t, a.fake.Configure(func(s *sandbox.ZohoSettings) { s.BulkPage, s.OddFields = 300, true }))
	a.Put(t, providertest.Person{ID: "9001", Name: `Ann, "A." O'Hara; 王 🐉`, Note: "two\nlines, and a comma", Emails: []string{" A@Example.com "}})
	listed := sweepAll(t, a, zoho.List, 0)
	require.Len(t, listed, 701)
	require.Equal(t, listed, sweepAll(t, a, zoho.Keyset, 0))
	require.Equal(t, listed, sweepAll(t, a, zoho.Bulk, 0))
	require.Equal(t, listed, sweepAll(t, a, zoho.Bulk, 70), "with a new source for each page")
	for _, id := range []string{listed[0].ExternalID, listed[96].ExternalID, listed[700].ExternalID} {
		one, _, err := a.Source(t, providertest.SourceOptions{}).ReadContact(t.Context(), id)
		require.NoError(t, err)
		require.Contains(t, listed, one)
	}
}

// sweepAll reads everything one way; with a limit, each page by a source of its own.
func sweepAll(t *testing.T, a *account, way zoho.Mode, limit int) (all []providers.Contact) {
	t.Helper()
	a.config.Full = way
	source := a.Source(t, providertest.SourceOptions{})
	req := providers.ListRequest{Limit: limit}
	for {
		page, err := source.ListContacts(t.Context(), req)
		require.NoError(t, err)
		require.Empty(t, page.Failures)
		all = append(all, page.Contacts...)
		if req.Cursor = page.Next; req.Cursor == "" || limit > 0 && page.Wait == 0 {
			require.NoError(t, source.(interface{ Close() error }).Close())
			source = a.Source(t, providertest.SourceOptions{})
		}
		if req.Cursor == "" {
			return all
		}
	}
}

func TestOAuth(t *testing.T) {
	t.Parallel()

	for name, org := range map[string]int{"eu": 0, "us": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			providertest.OAuth{Sandbox: func(t *testing.T) providertest.OAuthSandbox {
				t.Helper()
				a := newAccount(t, 0, zoho.Auto)
				id := a.fake.Orgs()[org].ID
				require.NoError(t, a.fake.Configure(func(s *sandbox.ZohoSettings) { s.AutoConsent, s.ConsentOrg = true, id }))
				return &tokenHost{a}
			}}.Run(t)
		})
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()

	providertest.Changes{Sandbox: func(t *testing.T) providertest.ChangesSandbox {
		t.Helper()
		a := newAccount(t, 7, zoho.Auto)
		require.NoError(t, a.fake.Configure(func(s *sandbox.ZohoSettings) { s.GrantSeconds = 3600 }))
		return a
	}}.Run(t)
}

// account is the first org of the fake, connected.
type account struct {
	fake     *sandbox.Zoho
	sandbox  *sandbox.Sandbox
	client   *http.Client
	account  providers.Account
	config   zoho.Config
	provider *providers.Provider
	token    string
}

// Token implements oauth2.TokenSource.
func (a *account) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: a.token, TokenType: a.provider.OAuth.Scheme}, nil
}

// newAccount serves a fake of its own.
func newAccount(t *testing.T, contacts int, way zoho.Mode) *account {
	t.Helper()
	fakes := sandbox.New(sandbox.Config{Contacts: contacts})
	server := httptest.NewServer(fakes.Handler())
	fakes.SetBaseURL(server.URL)
	line := providers.NewTransport(0)
	t.Cleanup(func() {
		line.CloseIdleConnections()
		fakes.Close()
		server.Close()
	})
	transport := providertest.Bodies(t, line)
	base := server.URL + "/sandbox/zoho"
	a := &account{fake: fakes.Zoho(), sandbox: fakes}
	a.config = zoho.Config{Full: way, App: providers.App{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret,
		AuthBaseURL: base + "/accounts", APIBaseURL: base + "/api", TokenClient: &http.Client{Transport: transport},
	}}
	a.provider = zoho.New(a.config)
	tokens := a.fake.IssueTokens(0)
	a.token = tokens.AccessToken
	a.client = &http.Client{Transport: &oauth2.Transport{Source: a, Base: transport}}
	a.account = providers.Account{ExternalID: "the account", APIDomain: tokens.APIDomain, AuthServer: a.fake.AccountsServer(0)}
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
	return zoho.New(cfg).Contacts(a.account, &client)
}

// Put implements providertest.Sandbox.
func (a *account) Put(t *testing.T, p providertest.Person) {
	t.Helper()
	n, err := strconv.ParseInt(p.ID, 10, 64)
	require.NoError(t, err)
	record := map[string]any{"id": a.fake.ContactID(0, n)}
	if !p.Bare {
		record["Full_Name"], record["Last_Name"], record["Custom_Notes"] = p.Name, p.Name, p.Note
	}
	if !p.UpdatedAt.IsZero() {
		record["Modified_Time"] = p.UpdatedAt.In(time.FixedZone("", 3600)).Format(time.RFC3339)
	}
	for i, email := range p.Emails {
		record[[]string{"Email", "Secondary_Email"}[i]] = email
	}
	for i, phone := range p.Phones {
		record[[]string{"Phone", "Mobile", "Home_Phone", "Other_Phone", "Fax"}[i]] = phone
	}
	text, err := json.Marshal(record)
	require.NoError(t, err)
	require.NoError(t, a.fake.Put(0, string(text)))
}

// Update implements providertest.Sandbox.
func (a *account) Update(t *testing.T, id string) { t.Helper(); require.True(t, a.fake.Update(0, id)) }

// Delete implements providertest.Sandbox.
func (a *account) Delete(t *testing.T, id string) { t.Helper(); require.True(t, a.fake.Delete(0, id)) }

// Vanish implements providertest.Sandbox.
func (a *account) Vanish(t *testing.T, id string) { t.Helper(); require.True(t, a.fake.Purge(0, id)) }

// Living implements providertest.Sandbox.
func (a *account) Living(t *testing.T) []string {
	t.Helper()
	list, err := a.fake.Contacts(0, "", 1<<20)
	require.NoError(t, err)
	return providertest.RecordIDs(t, list)
}

const (
	list = "/crm/v8/Contacts"
	coql = "/crm/v8/coql"
)

// Calls implements providertest.Sandbox.
func (a *account) Calls(t *testing.T) int {
	t.Helper()
	calls := a.fake.Calls()
	return calls[list] + calls[coql]
}

// kinds are the fake's faults for what may go wrong.
var kinds = map[providertest.Trouble]sandbox.Kind{
	providertest.Reset: sandbox.FaultReset, providertest.Hang: sandbox.FaultHang, providertest.Drip: sandbox.FaultDrip,
	providertest.CutOff: sandbox.FaultTruncate, providertest.HalfJSON: sandbox.FaultMalformed, providertest.EmptyBody: sandbox.FaultEmpty200,
	providertest.ServerError: sandbox.Fault500, providertest.BadGateway: sandbox.Fault502, providertest.SaysFailed: sandbox.FaultSuccessFalse,
	providertest.Maintenance: sandbox.Fault503HTML, providertest.Burst: sandbox.Fault429, providertest.DaySpent: sandbox.FaultDaily429,
	providertest.TokenRefused: sandbox.Fault401, providertest.Firewall: sandbox.FaultHTML403, providertest.LostCursor: sandbox.FaultBadCursor,
	providertest.WebPage: sandbox.FaultHTML200,
}

// Play implements providertest.Sandbox.
func (a *account) Play(t *testing.T, trouble providertest.Trouble) {
	t.Helper()
	scripts := map[providertest.Trouble]sandbox.Answer{
		providertest.OtherJSON: {Body: `{"data":{"items":[]},"info":{"more_records":false}}`},
		providertest.Elsewhere: {Status: http.StatusFound, Header: http.Header{"Location": {"http://other.example.com/"}}},
		providertest.Closed:    {Status: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"code":"NO_PERMISSION","details":{},"message":"permission denied","status":"error"}`},
		providertest.Retired:   {Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"code":"INVALID_URL_PATTERN","details":{},"message":"Please check","status":"error"}`},
	}
	for _, path := range []string{list, coql} {
		if answer, ok := scripts[trouble]; ok {
			a.fake.Script(path, answer)
		}
	}
	if kind, ok := kinds[trouble]; ok {
		require.NoError(t, a.fake.Faults(sandbox.Fault{Path: list, Kind: kind, Times: sandbox.Forever}, sandbox.Fault{Path: coql, Kind: kind, Times: sandbox.Forever}))
	}
}

// Recover implements providertest.Sandbox.
func (a *account) Recover(t *testing.T) { t.Helper(); require.NoError(t, a.fake.Faults()) }

// Provider implements providertest.ChangesSandbox.
func (a *account) Provider(*testing.T) *providers.Provider { return a.provider }

// Account implements providertest.ChangesSandbox.
func (a *account) Account(*testing.T) (providers.Account, *http.Client) { return a.account, a.client }

// Target implements providertest.ChangesSandbox.
func (a *account) Target(*testing.T, string) {}

// Subscriptions implements providertest.ChangesSandbox.
func (a *account) Subscriptions(*testing.T) int { return len(a.fake.Channels()) }

// Lose implements providertest.ChangesSandbox: the granted hour goes by.
func (a *account) Lose(*testing.T) {
	a.sandbox.Advance(2 * time.Hour)
	a.token = a.fake.IssueTokens(0).AccessToken
}

// tokenHost is the fake as a token host.
type tokenHost struct{ *account }

// Provider implements providertest.OAuthSandbox.
func (h *tokenHost) Provider(_ *testing.T, secret string) *providers.Provider {
	cfg := h.config
	if secret != "" {
		cfg.ClientSecret = secret
	}
	return zoho.New(cfg)
}

// Allow implements providertest.OAuthSandbox. Users of another data centre are sent on to its own page.
func (h *tokenHost) Allow(t *testing.T, consentURL string) url.Values {
	t.Helper()
	for range 3 {
		back := providertest.Redirect(t, h.config.TokenClient.Transport, consentURL)
		if back.Query().Has("code") {
			return back.Query()
		}
		consentURL = back.String()
	}
	require.Fail(t, "the consent leads nowhere")
	return nil
}

// Withdraw implements providertest.OAuthSandbox.
func (h *tokenHost) Withdraw(*testing.T) { h.fake.Revoke(0) }

// Play implements providertest.OAuthSandbox.
func (h *tokenHost) Play(t *testing.T, trouble providertest.Trouble) {
	t.Helper()
	kind := kinds[trouble]
	if trouble == providertest.Burst {
		kind = sandbox.FaultThrottled
	}
	require.NoError(t, h.fake.Faults(sandbox.Fault{Path: "/oauth/v2/token", Kind: kind, Times: sandbox.Forever}))
}
