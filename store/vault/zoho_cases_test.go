package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/zoho"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// zohoHost is a token host of Zoho, and an API. Each refresh gets the next answer, and the last one again and again.
type zohoHost struct {
	*httptest.Server

	mu      sync.Mutex
	answers []scripted
	sent    []string // the refresh tokens
	access  []string // the Authorization headers that reached the API
	hang    bool
}

func newZohoHost(t *testing.T, answers ...scripted) *zohoHost {
	t.Helper()
	h := &zohoHost{answers: answers}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /accounts/oauth/v2/token", h.token)
	mux.HandleFunc("GET /api/", func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.access = append(h.access, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte("{}"))
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func (h *zohoHost) token(w http.ResponseWriter, r *http.Request) {
	sent := r.PostFormValue("refresh_token")
	h.mu.Lock()
	h.sent = append(h.sent, sent)
	hang, a := h.hang && sent == "R1", h.answers[0]
	if len(h.answers) > 1 {
		h.answers = h.answers[1:]
	}
	h.mu.Unlock()
	if hang { // the connection is accepted, and that is all
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(a.Status)
	_, _ = w.Write([]byte(a.text()))
}

// refreshes counts the refreshes that reached the host.
func (h *zohoHost) refreshes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sent)
}

// hangs lets the host leave R1 without an answer, or no longer.
func (h *zohoHost) hangs(hang bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hang = hang
}

// zohoWorld is a world with accounts of Zoho.
type zohoWorld struct {
	*world

	zoho *zohoHost
}

func newZohoWorld(t *testing.T, opts vault.Options, answers ...scripted) *zohoWorld {
	t.Helper()
	w := &zohoWorld{newWorld(t), newZohoHost(t, answers...)}
	w.vault = w.zohoProcess(t, opts)
	return w
}

// zohoProcess is a vault as another process has it.
func (w *zohoWorld) zohoProcess(t *testing.T, opts vault.Options) *vault.Vault {
	t.Helper()
	v := vault.New(w.store, w.keys, []*providers.Provider{zoho.New(zoho.Config{App: providers.App{
		ClientID: "id", ClientSecret: "secret", AuthBaseURL: w.zoho.URL + "/accounts", APIBaseURL: w.zoho.URL + "/api", TokenClient: &http.Client{},
	}})}, opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		require.NoError(t, v.Close(ctx), "an exchange is still under way")
	})
	return v
}

// account is a Zoho account with a refresh token of its own, of which the access token has just ended.
func (w *zohoWorld) account(t *testing.T, refresh string) uuid.UUID {
	t.Helper()
	id := uuid.New()
	w.exec(t, `INSERT INTO integrations (id, tenant_id, provider, external_account_id, access_token, refresh_token, token_generation, expires_at, api_domain, auth_server)
		VALUES ($1::uuid, $2, 'zoho', $1::uuid::text, $3, $4, 1, now() - interval '1 minute', $5, $6)`, id, testTenant,
		w.keys.Seal(id, vault.AccessToken, "A0"), w.keys.Seal(id, vault.RefreshToken, refresh), w.zoho.URL+"/api", w.zoho.URL+"/accounts")
	return id
}

// kept are the tokens of a row, as they were before they were sealed.
func (w *zohoWorld) kept(t *testing.T, id uuid.UUID) (access, refresh string) {
	t.Helper()
	access, err := w.vault.Open(id, vault.AccessToken, one[string](t, w.world, `SELECT access_token FROM integrations WHERE id = $1`, id))
	require.NoError(t, err)
	refresh, err = w.vault.Open(id, vault.RefreshToken, one[string](t, w.world, `SELECT refresh_token FROM integrations WHERE id = $1`, id))
	require.NoError(t, err)
	return access, refresh
}

func said(status int, body string) scripted {
	return scripted{Status: status, Body: json.RawMessage(body)}
}

// zohoGrant is the answer to a refresh, with an access token of its own.
func zohoGrant(access string) scripted {
	return said(http.StatusOK, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, access))
}

// variantsOf are the names of a case's variants.
func variantsOf(t *testing.T, id string) (names []string) {
	t.Helper()
	matches, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "cases", "crm", id+"-*.json"))
	require.NoError(t, err)
	if len(matches) == 0 {
		t.Skip("the shared cases are not here")
	}
	raw, err := os.ReadFile(matches[0])
	require.NoError(t, err)
	var c struct {
		Given struct {
			Variants []json.RawMessage `json:"variants"`
		} `json:"given"`
	}
	require.NoError(t, json.Unmarshal(raw, &c))
	for _, v := range c.Given.Variants {
		var one map[string]string
		if json.Unmarshal(v, &one) != nil {
			names = append(names, string(v))
		}
		for name := range one {
			names = append(names, name)
		}
	}
	return names
}

func TestZohoCases(t *testing.T) {
	t.Parallel()

	t.Run("crm-zo-05", func(t *testing.T) {
		t.Parallel()

		plain := tokenReplies(t, "zo-05")[0]
		require.Len(t, variantsOf(t, "zo-05"), 2)
		for name, member := range map[string]string{"missing": "", "empty": `"refresh_token":"",`, "null": `"refresh_token":null,`} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()

				w := newZohoWorld(t, quick, plain)
				w.zoho.answers = nil
				for i := range 3 {
					body := strings.Replace(string(plain.Body), `"1000.x.y"`, fmt.Sprintf(`"1000.x.y%d"`, i), 1)
					w.zoho.answers = append(w.zoho.answers, said(plain.Status, "{"+member+strings.TrimPrefix(body, "{")))
				}
				id := w.account(t, "R1")
				for i := range 3 {
					token, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
					require.NoError(t, err)
					require.Equal(t, fmt.Sprintf("1000.x.y%d", i), token.Access)
					access, refresh := w.kept(t, id)
					require.Equal(t, token.Access, access)
					require.Equal(t, "R1", refresh)
					w.exec(t, `UPDATE integrations SET expires_at = now() - interval '1 minute'`) // an hour passes
				}
				require.Equal(t, []string{"R1", "R1", "R1"}, w.zoho.sent)
			})
		}
	})

	t.Run("crm-zo-06", func(t *testing.T) {
		t.Parallel()

		require.Subset(t, variantsOf(t, "zo-06"), []string{"c", "d", "e"})
		t.Run("c", func(t *testing.T) {
			t.Parallel()

			for name, before := range map[string]string{
				"the lease was free":       "NULL",
				"the lease was taken over": "now() - interval '1 hour'", // an earlier holder asked for another reason, or died
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()

					w := newZohoWorld(t, quick, said(http.StatusOK, `{"error":"invalid_code"}`))
					id := w.account(t, "R1")
					w.exec(t, `UPDATE integrations SET refresh_lease_until = `+before)
					for range 2 { // the second at once, from another process
						_, err := w.zohoProcess(t, quick).Token(t.Context(), id, vault.NoneFailed)
						require.Equal(t, providers.Transient, providers.KindOf(err), "%v", err)
						require.Equal(t, store.Connected, w.status(t, id), "not after the first")
					}
					w.exec(t, `UPDATE integrations SET refresh_doubted_at = refresh_doubted_at - interval '30 seconds'`)
					_, err := w.zohoProcess(t, quick).Token(t.Context(), id, vault.NoneFailed)
					require.Equal(t, providers.NeedsReauth, providers.KindOf(err), "%v", err)
					require.Equal(t, store.NeedsReauth, w.status(t, id))
					require.Equal(t, map[string]int{"needs_reauth": 1}, w.openIncidents(t, id))
					require.Len(t, w.zoho.sent, 3)
				})
			}
		})
		t.Run("d", func(t *testing.T) {
			t.Parallel()

			w := newZohoWorld(t, quick,
				said(http.StatusBadRequest, `{"error":"Access Denied","status":"failure","error_description":"You have made too many requests continuously. Please try again after some time."}`),
				zohoGrant("A1"))
			id := w.account(t, "R1")
			for range 2 { // the second doesn't reach the host
				_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
				var e *providers.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, providers.RateLimited, e.Kind)
				require.WithinRange(t, e.RetryAt, time.Now().Add(9*time.Minute), time.Now().Add(15*time.Minute))
				require.Equal(t, store.Connected, w.status(t, id))
				require.Empty(t, w.openIncidents(t, id))
			}
			require.Len(t, w.zoho.sent, 1)
			token, err := w.zohoProcess(t, quick).Token(t.Context(), id, vault.NoneFailed)
			require.NoError(t, err)
			require.Equal(t, "A1", token.Access)
		})
		t.Run("e", func(t *testing.T) {
			t.Parallel()

			opts := quick
			opts.Echo = time.Millisecond
			w := newZohoWorld(t, opts, said(http.StatusOK, `""`), said(http.StatusOK, `{}`), said(http.StatusOK, `{"access_token":""}`), zohoGrant("A1"))
			id := w.account(t, "R1")
			client := w.vault.Client(id, providers.Account{APIDomain: w.zoho.URL + "/api"})
			for range 3 {
				var err error
				asked := w.zoho.refreshes()
				within(t, func() bool { // a process doesn't ask the host again at once
					_, err = ask(t, client.Client, http.MethodGet, w.zoho.URL+"/api/crm/v8/Contacts", "")
					return w.zoho.refreshes() > asked
				}, "the host is asked again")
				require.Equal(t, providers.Transient, providers.KindOf(err), "%v", err)
				require.Equal(t, store.Connected, w.status(t, id))
				access, refresh := w.kept(t, id)
				require.Equal(t, "A0 R1", access+" "+refresh, "an empty one is never stored")
			}
			within(t, func() bool {
				_, err := ask(t, client.Client, http.MethodGet, w.zoho.URL+"/api/crm/v8/Contacts", "")
				return err == nil
			}, "then it is good")
			require.Equal(t, []string{"Zoho-oauthtoken A1"}, w.zoho.access, "nor sent")
			require.Empty(t, w.openIncidents(t, id))
		})
	})

	t.Run("crm-zo-12", func(t *testing.T) {
		t.Parallel()

		opts := quick
		opts.Wait, opts.Exchange, opts.Echo = 300*time.Millisecond, 500*time.Millisecond, time.Millisecond
		w := newZohoWorld(t, opts, zohoGrant("A1"))
		w.zoho.hangs(true)
		id, other := w.account(t, "R1"), w.account(t, "R2")
		ended := make(chan error, 1)
		go func() {
			_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
			ended <- err
		}()
		within(t, func() bool { return w.zoho.refreshes() > 0 }, "the host is asked")
		token, err := w.vault.Token(t.Context(), other, vault.NoneFailed)
		require.NoError(t, err, "others are served meanwhile")
		require.Equal(t, "A1", token.Access)

		err = <-ended
		require.Equal(t, providers.Transient, providers.KindOf(err), "the job is tried again: %v", err)
		require.True(t, one[bool](t, w.world, `SELECT coalesce(refresh_lease_until <= clock_timestamp(), true) FROM integrations WHERE id = $1`, id), "nobody has the lease")
		require.Equal(t, store.Connected, w.status(t, id))
		require.Empty(t, w.openIncidents(t, id))

		w.zoho.hangs(false)
		within(t, func() bool {
			token, err = w.vault.Token(t.Context(), id, vault.NoneFailed)
			return err == nil
		}, "the job's later attempt")
		require.Equal(t, "A1", token.Access)
		require.Equal(t, store.Connected, w.status(t, id))
	})
}
