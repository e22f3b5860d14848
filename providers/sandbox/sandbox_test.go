package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/sandbox/spectest"
)

// midday is what the providers' clock shows in tests unless they move it.
var midday = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// bundle is a running sandbox and a client of it.
type bundle struct {
	t         *testing.T
	sandbox   *sandbox.Sandbox
	pipedrive *sandbox.Pipedrive
	root      string // of Pipedrive
	control   string
	client    *http.Client
	tokens    sandbox.Tokens
}

// setup starts a sandbox of its own with a clock that only tests move. Its
// client checks all traffic against the published documents.
func setup(t *testing.T, contacts int) *bundle {
	t.Helper()
	b := bare(t, contacts)
	b.client.Transport = spectest.Transport(t, b.client.Transport)
	return b
}

// bare is setup for calls that are wrong on purpose.
func bare(t *testing.T, contacts int) *bundle {
	t.Helper()
	s := sandbox.New(sandbox.Config{Contacts: contacts, Now: func() time.Time { return midday }})
	s.Pipedrive().SetBudget(sandbox.Unlimited)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	s.SetBaseURL(server.URL)
	b := &bundle{
		t: t, sandbox: s, pipedrive: s.Pipedrive(), client: server.Client(),
		root: server.URL + "/sandbox/pipedrive", control: server.URL + "/sandbox/control/pipedrive",
	}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.tokens = b.pipedrive.IssueTokens(sandbox.DefaultCompany)
	return b
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bundle) send(method, target, kind, body string, change func(*http.Request)) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	require.NoError(b.t, err)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if change != nil {
		change(r)
	}
	response, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return answer{response.StatusCode, response.Header, string(text)}
}

// get asks the API with the bundle's access token.
func (b *bundle) get(path string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, b.root+path, "", "", b.bearer)
}

func (b *bundle) bearer(r *http.Request) {
	r.Header.Set("Authorization", "Bearer "+b.tokens.AccessToken)
}

// form posts to the token host with our app's credentials.
func (b *bundle) form(path string, fields url.Values) answer {
	b.t.Helper()
	return b.send(http.MethodPost, b.root+path, "application/x-www-form-urlencoded", fields.Encode(), func(r *http.Request) {
		r.SetBasicAuth(sandbox.DefaultClientID, sandbox.DefaultClientSecret)
	})
}

func (b *bundle) refresh(token string) answer {
	b.t.Helper()
	return b.form("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

func (b *bundle) configure(change func(*sandbox.PipedriveSettings)) {
	b.t.Helper()
	require.NoError(b.t, b.pipedrive.Configure(change))
}

// contact is what tests look at of a person.
type contact struct {
	ID         int64   `json:"id"`
	Name       *string `json:"name"`
	AddTime    *string `json:"add_time"`
	UpdateTime *string `json:"update_time"`
	IsDeleted  bool    `json:"is_deleted"`
	Emails     []struct {
		Value *string `json:"value"`
	} `json:"emails"`
}

func (c contact) updated(t *testing.T) time.Time {
	t.Helper()
	if c.UpdateTime == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, *c.UpdateTime)
	require.NoError(t, err)
	return at
}

// page is an answer of the list.
type page struct {
	Success        bool      `json:"success"`
	Data           []contact `json:"data"`
	AdditionalData *struct {
		NextCursor *string `json:"next_cursor"`
	} `json:"additional_data"`
}

func (p page) next() string {
	if p.AdditionalData == nil || p.AdditionalData.NextCursor == nil {
		return ""
	}
	return *p.AdditionalData.NextCursor
}

func (b *bundle) list(query string) page {
	b.t.Helper()
	got := b.get("/api/v2/persons?" + query)
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	return decode[page](b.t, got.body)
}

// walk reads a whole list and calls between before each page but the first.
func (b *bundle) walk(query string, between func(page int)) []contact {
	b.t.Helper()
	var all []contact
	cursor := ""
	for n := 0; ; n++ {
		require.Less(b.t, n, 1000, "a list that does not end")
		got := b.list(query + cursor)
		all = append(all, got.Data...)
		if got.next() == "" {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(got.next())
		if between != nil {
			between(n + 1)
		}
	}
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

func ids(list []contact) []int64 {
	out := make([]int64, len(list))
	for i, c := range list {
		out[i] = c.ID
	}
	return out
}

// upTo is 1..n.
func upTo(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i) + 1
	}
	return out
}

func person(id int64, updated string) string {
	return fmt.Sprintf(`{"id":%d,"name":"Person %d","add_time":"2011-05-01T00:00:00Z","update_time":%s}`, id, id, updated)
}

func TestAddressComesFromTheRequestUnlessItIsSet(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	b.sandbox.SetBaseURL("")
	tokens := decode[sandbox.Tokens](t, b.refresh(b.tokens.RefreshToken).body)
	require.Equal(t, b.root, tokens.APIDomain)

	b.sandbox.SetBaseURL("https://sandbox.example/")
	tokens = decode[sandbox.Tokens](t, b.refresh(b.tokens.RefreshToken).body)
	require.Equal(t, "https://sandbox.example/sandbox/pipedrive", tokens.APIDomain)
}

func TestDateIsTheProvidersClock(t *testing.T) {
	t.Parallel()

	b := setup(t, 1)
	require.Equal(t, "Tue, 24 Nov 2026 12:00:00 GMT", b.get("/api/v2/persons").header.Get("Date"))
	b.sandbox.Advance(time.Minute)
	require.Equal(t, "Tue, 24 Nov 2026 12:01:00 GMT", b.get("/api/v2/persons").header.Get("Date"))
	b.configure(func(s *sandbox.PipedriveSettings) { s.HideDate = true })
	require.Empty(t, b.get("/api/v2/persons").header.Get("Date"))
}

func TestLogNamesTheGrantAndNeverTheToken(t *testing.T) {
	t.Parallel()

	b := setup(t, 3)
	b.list("limit=2")
	b.get("/api/v2/persons/3")
	b.refresh(b.tokens.RefreshToken)

	log := b.pipedrive.Requests()
	require.Len(t, log, 3)
	require.Equal(t, sandbox.Request{At: midday, Method: "GET", Path: "/api/v2/persons", Query: "limit=2", Grant: "company 4242 user 7001"}, log[0])
	require.Equal(t, map[string]int{"/api/v2/persons": 1, "/api/v2/persons/{id}": 1, "/oauth/token": 1}, b.pipedrive.Calls())
	require.NotContains(t, fmt.Sprint(log), b.tokens.AccessToken)

	b.pipedrive.ResetCounters()
	require.Empty(t, b.pipedrive.Requests())
	require.Empty(t, b.pipedrive.Calls())
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()

	b := bare(t, 500)
	b.configure(func(s *sandbox.PipedriveSettings) { s.Burst = 0 })
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()

			mine := *b
			mine.t = t
			require.NotEmpty(t, mine.walk("limit=50&sort_by=update_time", func(int) {
				_, err := mine.pipedrive.Mutate(0, sandbox.Mutation{Create: 1, Update: 2, Delete: 1})
				require.NoError(t, err)
			}))
			require.Equal(t, http.StatusOK, mine.refresh(b.tokens.RefreshToken).status)
			require.Equal(t, http.StatusOK, mine.send(http.MethodGet, b.control, "", "", nil).status)
		})
	}
}
