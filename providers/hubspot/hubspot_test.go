package hubspot_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
	"example.com/enlace/providers/hubspot"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/sandbox/spectest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContactSource(t *testing.T) {
	t.Parallel()

	providertest.ContactSource{
		Limits: hubspot.New(hubspot.Config{}).Limits, LargestPage: 100, Emails: 10, Phones: 2, Timeless: true, SaysDeleted: true,
		Account: func(t *testing.T, n int) providertest.Sandbox {
			t.Helper()
			return newAccount(t, sandbox.Config{Contacts: n}, nil)
		},
	}.Run(t)
}

func TestOAuth(t *testing.T) {
	t.Parallel()

	providertest.OAuth{Sandbox: func(t *testing.T) providertest.OAuthSandbox {
		t.Helper()
		return &tokenHost{newAccount(t, sandbox.Config{}, nil)}
	}}.Run(t)
}

func TestChanges(t *testing.T) {
	t.Parallel()

	for name, object := range map[string]bool{"contact events": false, "object events": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			providertest.Changes{Sandbox: func(t *testing.T) providertest.ChangesSandbox {
				t.Helper()
				a := newAccount(t, sandbox.Config{Contacts: 5}, nil)
				require.NoError(t, a.fake.Configure(func(s *sandbox.HubSpotSettings) { s.WebhookObjectTypes = object }))
				return &notifier{a}
			}}.Run(t)
		})
	}
}

// What we ask, and what the sandbox answers, is what HubSpot's own documents describe.
func TestTrafficFollowsTheProvidersDocuments(t *testing.T) {
	t.Parallel()

	a := newAccount(t, sandbox.Config{Contacts: 450}, func(base http.RoundTripper) http.RoundTripper { return spectest.HubSpotTransport(t, base) })
	source := a.Source(t, providertest.SourceOptions{})
	first, err := source.ListContacts(t.Context(), providers.ListRequest{})
	require.NoError(t, err)
	changed, err := source.ListContacts(t.Context(), providers.ListRequest{UpdatedSince: time.Unix(0, 0), Limit: 100_000})
	require.NoError(t, err)
	require.Len(t, changed.Contacts, 200)
	for _, req := range []providers.ListRequest{{Cursor: first.Next}, {UpdatedSince: time.Unix(0, 0), Cursor: changed.Next}} {
		_, err = source.ListContacts(t.Context(), req)
		require.NoError(t, err)
	}
	for _, id := range []string{first.Contacts[0].ExternalID, "1"} {
		_, _, _ = source.ReadContact(t.Context(), id)
	}
	_, _, err = source.(providers.ContactCounter).CountContacts(t.Context())
	require.NoError(t, err)
	_, err = source.(providers.DeletedLister).ListDeleted(t.Context(), time.Now(), "")
	require.NoError(t, err)

	tokens := a.fake.IssueTokens(sandbox.DefaultPortal)
	grant, err := a.provider.OAuth.Refresh(t.Context(), "", tokens.RefreshToken)
	require.NoError(t, err)
	require.NoError(t, a.provider.OAuth.Revoke(t.Context(), "", grant.RefreshToken))
}

// account is one portal of the fake, connected.
type account struct {
	fake     *sandbox.HubSpot
	sandbox  *sandbox.Sandbox
	provider *providers.Provider
	client   *http.Client
	config   hubspot.Config
}

// newAccount serves a fake of its own, whose limits are out of reach. wrap, if not nil, stands between the client and the line.
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
	a := &account{fake: fake.HubSpot(), sandbox: fake}
	require.NoError(t, a.fake.Configure(func(s *sandbox.HubSpotSettings) { s.AutoConsent, s.Burst, s.SearchBurst = true, 10_000, 0 }))
	host := server.URL + "/sandbox/hubspot"
	a.config = hubspot.Config{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret, AuthBaseURL: host, APIBaseURL: host,
		TokenClient: &http.Client{Transport: transport},
	}
	a.provider = hubspot.New(a.config)
	a.client = &http.Client{Transport: &oauth2.Transport{Source: &tokens{a}, Base: transport}}
	return a
}

// tokens issues a token for each request, as the fake's clock is moved.
type tokens struct{ *account }

// Token implements oauth2.TokenSource.
func (s *tokens) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: s.fake.IssueTokens(sandbox.DefaultPortal).AccessToken}, nil
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
	return hubspot.New(cfg).Contacts(providers.Account{ExternalID: portal}, &client)
}

const portal = "4242"

// Put implements providertest.Sandbox. A record that is changed later than now moves the provider's clock: what it has
// was changed by its own time, and a window closes at that.
func (a *account) Put(t *testing.T, p providertest.Person) {
	t.Helper()
	properties := map[string]any{"hs_object_id": p.ID, "firstname": nil, "email": nil, "phone": nil, "hubspot_owner_id": nil, "lastmodifieddate": nil}
	if !p.Bare {
		properties["firstname"], properties["company"] = p.Name, p.Note
		fill(properties, p.Emails, "email", "hs_additional_emails")
		fill(properties, p.Phones, "phone", "mobilephone")
	}
	if !p.UpdatedAt.IsZero() {
		properties["lastmodifieddate"] = p.UpdatedAt.UTC().Format(time.RFC3339)
		a.sandbox.Advance(max(p.UpdatedAt.Sub(a.sandbox.Now()), 0))
	}
	text, err := json.Marshal(map[string]any{"id": p.ID, "properties": properties, "createdAt": "2020-01-01T00:00:00Z"})
	require.NoError(t, err)
	require.NoError(t, a.fake.Put(sandbox.DefaultPortal, string(text)))
}

// fill puts the first value into one property, and the others into another.
func fill(properties map[string]any, values []string, first, others string) {
	if len(values) > 0 {
		properties[first] = values[0]
	}
	if len(values) > 1 {
		properties[others] = strings.Join(values[1:], ";")
	}
}

// Update implements providertest.Sandbox.
func (a *account) Update(t *testing.T, id string) {
	t.Helper()
	require.True(t, a.fake.Update(sandbox.DefaultPortal, number(t, id)))
}

// Delete implements providertest.Sandbox.
func (a *account) Delete(t *testing.T, id string) {
	t.Helper()
	require.True(t, a.fake.Delete(sandbox.DefaultPortal, number(t, id)))
}

// Vanish implements providertest.Sandbox.
func (a *account) Vanish(t *testing.T, id string) {
	t.Helper()
	require.True(t, a.fake.Purge(sandbox.DefaultPortal, number(t, id)))
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
	list, err := a.fake.Contacts(sandbox.DefaultPortal, 0, 1<<20)
	require.NoError(t, err)
	return providertest.RecordIDs(t, list)
}

const (
	objects = "/crm/v3/objects/contacts"
	search  = objects + "/search"
)

// Calls implements providertest.Sandbox.
func (a *account) Calls(t *testing.T) int {
	t.Helper()
	calls := a.fake.Calls()
	return calls[objects] + calls[search]
}

// kinds are the fake's faults for what may go wrong.
var kinds = map[providertest.Trouble]sandbox.Kind{
	providertest.Reset: sandbox.FaultReset, providertest.Hang: sandbox.FaultHang, providertest.Drip: sandbox.FaultDrip,
	providertest.CutOff: sandbox.FaultTruncate, providertest.HalfJSON: sandbox.FaultMalformed, providertest.EmptyBody: sandbox.FaultEmpty200,
	providertest.ServerError: sandbox.Fault500, providertest.BadGateway: sandbox.Fault502, providertest.WebPage: sandbox.FaultHubSpotHTML200,
	providertest.Maintenance: sandbox.Fault503HTML, providertest.Burst: sandbox.Fault429, providertest.DaySpent: sandbox.FaultDaily429,
	providertest.TokenRefused: sandbox.Fault401, providertest.Closed: sandbox.Fault402, providertest.Firewall: sandbox.FaultHTML403,
	providertest.Retired: sandbox.Fault410, providertest.LostCursor: sandbox.FaultBadCursor, providertest.Elsewhere: sandbox.FaultHubSpotRedirect,
}

// Play implements providertest.Sandbox.
func (a *account) Play(t *testing.T, trouble providertest.Trouble) {
	t.Helper()
	a.play(t, objects, trouble)
}

func (a *account) play(t *testing.T, path string, trouble providertest.Trouble) {
	t.Helper()
	scripts := map[providertest.Trouble]string{
		providertest.OtherJSON:  `{"results":{"items":[]}}`,
		providertest.SaysFailed: `{"status":"error","message":"internal error","category":"INTERNAL"}`,
	}
	if body, ok := scripts[trouble]; ok {
		a.fake.Script(path, sandbox.Answer{Header: http.Header{"Content-Type": {"application/json"}}, Body: body})
		return
	}
	kind, ok := kinds[trouble]
	require.True(t, ok, "the fake cannot play %q", trouble)
	require.NoError(t, a.fake.Faults(sandbox.Fault{Path: path, Kind: kind, Times: sandbox.Forever}))
}

// Recover implements providertest.Sandbox.
func (a *account) Recover(t *testing.T) {
	t.Helper()
	require.Zero(t, a.fake.AnswersLeft())
	require.NoError(t, a.fake.Faults())
}

// tokenHost is the fake as a token host.
type tokenHost struct{ *account }

// Provider implements providertest.OAuthSandbox.
func (h *tokenHost) Provider(t *testing.T, secret string) *providers.Provider {
	t.Helper()
	cfg := h.config
	if secret != "" {
		cfg.ClientSecret = secret
	}
	return hubspot.New(cfg)
}

// Allow implements providertest.OAuthSandbox.
func (h *tokenHost) Allow(t *testing.T, consentURL string) url.Values {
	t.Helper()
	return providertest.Redirect(t, h.config.TokenClient.Transport, consentURL).Query()
}

// Withdraw implements providertest.OAuthSandbox.
func (h *tokenHost) Withdraw(*testing.T) { h.fake.Revoke(sandbox.DefaultPortal) }

// Play implements providertest.OAuthSandbox.
func (h *tokenHost) Play(t *testing.T, trouble providertest.Trouble) {
	t.Helper()
	h.play(t, "/oauth/v3/token", trouble)
}

// notifier is the fake as one that tells of changes.
type notifier struct{ *account }

// Provider implements providertest.ChangesSandbox.
func (n *notifier) Provider(*testing.T) *providers.Provider { return n.provider }

// Account implements providertest.ChangesSandbox.
func (n *notifier) Account(*testing.T) (providers.Account, *http.Client) {
	return providers.Account{ExternalID: portal}, n.client
}

// Target implements providertest.ChangesSandbox.
func (n *notifier) Target(t *testing.T, target string) {
	t.Helper()
	require.NoError(t, n.fake.Configure(func(s *sandbox.HubSpotSettings) { s.WebhookTarget = target }))
}

// Subscriptions implements providertest.ChangesSandbox: the app has one setting, and the account none.
func (*notifier) Subscriptions(*testing.T) int { return 0 }

// Lose implements providertest.ChangesSandbox.
func (*notifier) Lose(*testing.T) {}
