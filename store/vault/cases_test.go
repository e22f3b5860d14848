package vault_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// tokenReplies are a case's scripted answers of the token host.
func tokenReplies(t *testing.T, id string) []scripted {
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
			Calls []struct {
				Reply scripted `json:"reply"`
			} `json:"calls"`
		} `json:"given"`
	}
	require.NoError(t, json.Unmarshal(raw, &c))
	var replies []scripted
	for _, call := range c.Given.Calls {
		replies = append(replies, call.Reply)
	}
	return replies
}

type scripted struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// text is the body as it is sent: an object as JSON, a text as it stands.
func (s scripted) text() string {
	var page string
	if json.Unmarshal(s.Body, &page) == nil {
		return page
	}
	return string(s.Body)
}

func TestCases(t *testing.T) {
	t.Parallel()

	t.Run("crm-pd-06", func(t *testing.T) {
		t.Parallel()

		reply := tokenReplies(t, "pd-06")[0]
		w := newWorld(t)
		w.host.before = func(int) (int, string) { return reply.Status, reply.text() }
		ids := []uuid.UUID{w.integration(t, -time.Minute), w.integration(t, -time.Minute), w.integration(t, -time.Minute)}
		before := one[string](t, w, `SELECT string_agg(access_token || refresh_token, ' ' ORDER BY id) FROM integrations`)
		for _, id := range ids {
			_, err := w.vault.Token(t.Context(), id, vault.NoneFailed)
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, providers.Misconfigured, e.Kind)
			require.Equal(t, words.VariantApp, e.Variant)
			require.Contains(t, e.Error(), "pipedrive")
			require.Contains(t, e.Error(), "client")
			require.Equal(t, store.Connected, w.status(t, id))
			require.Empty(t, w.openIncidents(t, id))
		}
		require.Equal(t, before, one[string](t, w, `SELECT string_agg(access_token || refresh_token, ' ' ORDER BY id) FROM integrations`))

		w.host.before = nil // the secret is corrected, and the process started anew with it
		token, err := w.process(t, quick).Token(t.Context(), ids[0], vault.NoneFailed)
		require.NoError(t, err)
		require.Equal(t, "a1", token.Access)
	})

	t.Run("crm-pd-07", func(t *testing.T) {
		t.Parallel()

		replies := tokenReplies(t, "pd-07")
		w := newWorld(t)
		id := w.integration(t, -10*time.Minute)
		run := w.run(t, id)
		w.host.before = func(n int) (int, string) {
			reply := replies[min(n, len(replies))-1]
			return reply.Status, reply.text()
		}
		client := w.vault.Client(id, providers.Account{APIDomain: w.host.URL})
		_, err := ask(t, client.Client, http.MethodGet, w.host.URL+"/api/v2/persons", "")
		require.Equal(t, providers.Transient, providers.KindOf(err))
		require.Equal(t, store.Connected, w.status(t, id))

		within(t, func() bool {
			_, err = ask(t, client.Client, http.MethodGet, w.host.URL+"/api/v2/persons", "")
			return providers.KindOf(err) != providers.Transient
		}, "the job's later attempt")
		require.Equal(t, providers.NeedsReauth, providers.KindOf(err))
		require.Equal(t, store.NeedsReauth, w.status(t, id))
		require.Equal(t, map[string]int{"needs_reauth": 1}, w.openIncidents(t, id))
		require.Equal(t, "failed/needs_reauth/discarded", one[string](t, w, `SELECT concat_ws('/', r.status, error_code, j.state)
			FROM integration_sync_logs r JOIN river.river_job j ON j.id = r.job_id WHERE r.id = $1`, run))

		_, err = ask(t, client.Client, http.MethodGet, w.host.URL+"/api/v2/persons", "")
		require.Equal(t, providers.NeedsReauth, providers.KindOf(err))
		require.Equal(t, 2, w.host.count(&w.host.exchanges), "no third token call")
		require.Zero(t, w.host.count(&w.host.requests), "no call with the old token")
	})

	t.Run("crm-pd-08", func(t *testing.T) {
		t.Parallel()

		const jobs = 6
		w := newWorld(t)
		id := w.integration(t, 20*time.Minute)
		w.host.access = "of nobody"
		var first sync.WaitGroup
		first.Add(jobs)
		arrivals := make(chan struct{}, jobs)
		w.host.gate = func() {
			select {
			case arrivals <- struct{}{}:
				first.Done()
				first.Wait() // all six have been sent before one is answered
			default:
			}
		}
		workers := []*vault.Vault{w.vault, w.process(t, quick)}
		got := answers(jobs, func(i int) (vault.Token, error) {
			client := workers[i%2].Client(id, providers.Account{APIDomain: w.host.URL})
			status, err := ask(t, client.Client, http.MethodGet, w.host.URL+"/api/v2/persons", "")
			return vault.Token{Access: http.StatusText(status)}, err
		})
		require.Equal(t, map[string]int{"OK": jobs}, got)
		require.Equal(t, 1, w.host.count(&w.host.exchanges))
		require.Equal(t, 2*jobs, w.host.count(&w.host.requests))
		require.Equal(t, store.Connected, w.status(t, id))
		require.Equal(t, w.host.URL+"/moved", one[string](t, w, `SELECT api_domain FROM integrations WHERE id = $1`, id))
		newest, err := w.vault.Open(id, vault.RefreshToken, one[string](t, w, `SELECT refresh_token FROM integrations WHERE id = $1`, id))
		require.NoError(t, err)
		require.Equal(t, "r1", newest)
	})
}
