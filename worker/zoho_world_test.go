package worker_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
)

const (
	zohoContacts = "/crm/v8/Contacts"
	zohoFields   = "/crm/v8/settings/fields"
	zohoToken    = "/oauth/v2/token"
	zohoWatch    = "/crm/v8/actions/watch"
)

// zohoWorld is a world whose account is the first organisation of the Zoho fake.
type zohoWorld struct {
	*world

	zoho *sandbox.Zoho
	line *zohoLine
	way  atomic.Value // zoho.Mode: of sweeps that begin
}

type zohoOptions struct {
	contacts int
	public   string   // PUBLIC_URL; empty: no notifications
	fields   []string // Config.Fields
}

func newZohoWorld(t *testing.T, o zohoOptions) *zohoWorld {
	t.Helper()
	w := &zohoWorld{world: &world{pool: storetest.Pool(t), tenant: uuid.New(), spans: quick(), public: o.public}}
	w.sandbox = sandbox.New(sandbox.Config{Contacts: o.contacts})
	w.zoho = w.sandbox.Zoho()
	w.line = &zohoLine{next: w.sandbox.Handler()}
	w.server = httptest.NewServer(w.line)
	t.Cleanup(w.server.Close)
	t.Cleanup(w.sandbox.Close)
	w.sandbox.SetBaseURL(w.server.URL)
	w.way.Store(zoho.Auto)

	base := w.server.URL + "/sandbox/zoho"
	cfg := zoho.Config{Fields: o.fields, App: providers.App{
		ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret,
		AuthBaseURL: base + "/accounts", APIBaseURL: base + "/api", TokenClient: &http.Client{},
	}}
	p := zoho.New(cfg)
	p.Contacts = func(account providers.Account, client *http.Client) providers.ContactSource {
		own := cfg
		own.Full = w.way.Load().(zoho.Mode)
		return zoho.New(own).Contacts(account, client)
	}
	w.list = []*providers.Provider{p}
	w.store = store.New(w.pool)
	w.process(t)

	tokens := w.zoho.IssueTokens(0)
	var err error
	w.id, _, err = w.vault.StoreGrant(t.Context(), vault.Connection{
		TenantID: w.tenant, Provider: "zoho", Identity: providers.Identity{ExternalID: "60010001:1", Name: "Organisation"},
		Grant: providers.Grant{
			AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, ExpiresAt: time.Now().Add(time.Hour),
			APIDomain: tokens.APIDomain, AuthServer: w.zoho.AccountsServer(0),
		},
	})
	require.NoError(t, err)
	return w
}

// process is a process as it begins: what one has kept in memory, another doesn't know.
func (w *zohoWorld) process(t *testing.T) {
	t.Helper()
	keys, err := vault.NewKeyring(key)
	require.NoError(t, err)
	made := vault.New(w.store, keys, w.list, vault.Options{Log: zerolog.Nop(), Doubt: 100 * time.Millisecond, Rest: time.Millisecond, Echo: time.Millisecond})
	t.Cleanup(func() { _ = made.Close(context.Background()) })
	w.vault = made
	w.worker = w.newWorker(t)
}

// age lets the stored access token look as if it ended so long ago, once the running worker's round of renewals is over:
// that would be quicker.
func (w *zohoWorld) age(t *testing.T, ago time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		var rounds int
		require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM river.river_job WHERE kind = 'token_refresh' AND state = 'completed'`).Scan(&rounds))
		return rounds > 0
	}, 20*time.Second, 10*time.Millisecond)
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET expires_at = now() - $1::interval WHERE id = $2`, ago, w.id)
	require.NoError(t, err)
}

// hurried runs a sync to its end and cuts every wait short.
func (w *zohoWorld) hurried(t *testing.T, kind string) store.Run {
	t.Helper()
	run := w.enqueue(t, kind)
	for {
		run = w.until(t, run.ID, func(r store.Run) bool {
			return !r.Active() || r.WaitingUntil != nil && time.Until(*r.WaitingUntil) > time.Second
		})
		if !run.Active() {
			return run
		}
		w.pass(t)
	}
}

// zohoCall is a request of the API or of the token host.
type zohoCall struct {
	Method, Path string // as the provider names it
	Query        url.Values
	Header       http.Header
	Body         string
}

// zohoLine stands before the fake: it notes the requests, and gives answers in the fake's place.
type zohoLine struct {
	next http.Handler

	mu      sync.Mutex
	calls   []zohoCall
	answers map[string][]*sandbox.Answer // by the whole path, in order; nil lets the fake answer
	serve   map[string]func(zohoCall) sandbox.Answer
}

// play gives the next answers to lists of contacts; nil lets the fake answer.
func (l *zohoLine) play(answers ...*sandbox.Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answers == nil {
		l.answers = map[string][]*sandbox.Answer{}
	}
	l.answers[zohoContacts] = append(l.answers[zohoContacts], answers...)
}

// always answers a path in the fake's place.
func (l *zohoLine) always(path string, serve func(zohoCall) sandbox.Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.serve == nil {
		l.serve = map[string]func(zohoCall) sandbox.Answer{}
	}
	l.serve[path] = serve
}

// to are the requests of a path, oldest first.
func (l *zohoLine) to(path string) (list []zohoCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls {
		if c.Path == path {
			list = append(list, c)
		}
	}
	return list
}

// forget empties the log, and what is left of the answers.
func (l *zohoLine) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls, l.answers = nil, nil
}

// take notes a call and returns the answer to give, or nil.
func (l *zohoLine) take(c zohoCall) *sandbox.Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	if list := l.answers[c.Path]; len(list) > 0 {
		l.answers[c.Path] = list[1:]
		return list[0]
	}
	if serve := l.serve[c.Path]; serve != nil {
		a := serve(c)
		return &a
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (l *zohoLine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	path := strings.TrimPrefix(r.URL.Path, "/sandbox/zoho/api/eu")
	path = strings.TrimPrefix(path, "/sandbox/zoho/accounts/eu")
	a := l.take(zohoCall{r.Method, path, r.URL.Query(), r.Header.Clone(), string(body)})
	if a == nil {
		l.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	maps.Copy(w.Header(), a.Header)
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	_, _ = w.Write([]byte(a.Body))
}
