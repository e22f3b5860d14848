package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// notified is a tenant whose account's provider notifies us.
type notified struct {
	*connectWorld

	id      uuid.UUID
	channel string
	secret  string
}

// newNotified connects an account and waits until it is subscribed.
func newNotified(t *testing.T, contacts int) *notified {
	t.Helper()
	n := &notified{connectWorld: newConnectWorld(t, nil)}
	require.NoError(t, n.fake.SetContacts(sandbox.DefaultCompany, contacts))
	query := n.landed(t, n.browser(t), n.connectURL(t, map[string]string{"provider": "pipedrive"}))
	n.id = uuid.MustParse(query.Get("integration_id"))
	require.NoError(t, n.worker.Start(t.Context()))
	t.Cleanup(func() { (&syncing{connectWorld: n.connectWorld}).stop(t) })
	require.Eventually(t, func() bool {
		return connectRow[int](t, n.connectWorld, `SELECT count(*) FROM webhook_subscriptions WHERE status = 'live'`) == 1
	}, 30*time.Second, 10*time.Millisecond)
	require.Len(t, n.fake.Subscriptions(), 1)
	n.channel = strings.TrimPrefix(n.fake.Subscriptions()[0].URL, n.base+"/webhooks/pipedrive/")
	sub, err := n.store.SubscriptionOf(t.Context(), "pipedrive", uuid.MustParse(n.channel))
	require.NoError(t, err)
	n.secret, err = n.vault.ChannelSecret(sub)
	require.NoError(t, err)
	return n
}

// post is a provider's call, or one that pretends to be.
func (n *notified) post(t *testing.T, path, secret, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.base+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if secret != "" {
		r.SetBasicAuth("enlace", secret)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(raw, &answer), "%s", raw)
	return resp.StatusCode, answer
}

func (n *notified) deliveries(t *testing.T) int {
	t.Helper()
	return connectRow[int](t, n.connectWorld, `SELECT count(*) FROM webhook_deliveries`)
}

func (n *notified) settled(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return n.fake.WebhookCounts().Pending == 0 && connectRow[int](t, n.connectWorld, `SELECT (SELECT count(*) FROM webhook_deliveries WHERE processed_at IS NULL)
			+ (SELECT count(*) FROM pending_changes) + (SELECT count(*) FROM integration_sync_logs WHERE status IN ('pending', 'in_progress'))`) == 0
	}, 2*time.Minute, 20*time.Millisecond)
}

// requireSame compares the living contacts with those of the sandbox.
func (n *notified) requireSame(t *testing.T) {
	t.Helper()
	list, err := n.fake.Contacts(sandbox.DefaultCompany, 0, 1<<20)
	require.NoError(t, err)
	want := map[string]string{}
	for _, raw := range list {
		var p struct {
			ID         int64      `json:"id"`
			Name       string     `json:"name"`
			UpdateTime *time.Time `json:"update_time"`
		}
		require.NoError(t, json.Unmarshal(raw, &p))
		want[strconv.FormatInt(p.ID, 10)] = providers.CleanText(p.Name) + seconds(p.UpdateTime)
	}
	rows, err := n.pool.Query(t.Context(), `SELECT external_id, name, remote_updated_at FROM contacts WHERE integration_id = $1 AND deleted_at IS NULL`, n.id)
	require.NoError(t, err)
	defer rows.Close()
	got := map[string]string{}
	for rows.Next() {
		var id, name string
		var at *time.Time
		require.NoError(t, rows.Scan(&id, &name, &at))
		got[id] = name + seconds(at)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, want, got)
}

func seconds(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// 5,000 notifications of 1,000 contacts, doubled and in any order.
func TestStormOfNotifications(t *testing.T) {
	t.Parallel()

	const people, gone = 1000, 60
	n := newNotified(t, people)
	require.NoError(t, n.fake.Configure(func(s *sandbox.PipedriveSettings) { s.Burst = 0 }))
	_, err := n.worker.Jobs().EnqueueSync(t.Context(), &n.tenant, n.id, store.NewRun{SyncType: store.Full, RequestedBy: "test"})
	require.NoError(t, err)
	n.settled(t)
	n.requireSame(t)

	require.NoError(t, n.fake.Configure(func(s *sandbox.PipedriveSettings) {
		s.WebhookDuplicates, s.WebhookShuffle, s.WebhookConcurrency = 4, true, 10
	}))
	n.fake.ResetCounters()
	_, err = n.fake.Mutate(sandbox.DefaultCompany, sandbox.Mutation{Update: people - gone, Delete: gone})
	require.NoError(t, err)
	n.settled(t)
	n.requireSame(t)
	counts := n.fake.WebhookCounts()
	require.Equal(t, 5*people, counts.Sent)
	require.Zero(t, counts.Failed)
	require.Equal(t, people, n.deliveries(t), "each event once")
	reads := n.fake.Calls()["/api/v2/persons/{id}"]
	require.LessOrEqual(t, reads, people)
	require.GreaterOrEqual(t, reads, gone, "each deletion is confirmed")
	require.Equal(t, gone, connectRow[int](t, n.connectWorld, `SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL`))
	t.Logf("%d confirming reads", reads)
	require.NotContains(t, n.log.String(), n.secret)
}

// As crm-pd-11, but with the notice: a deletion that moves no update time, and a merge, are seen at once, without a run.
func TestWhatNoListShowsIsNotified(t *testing.T) {
	t.Parallel()

	n := newNotified(t, 10)
	_, err := n.worker.Jobs().EnqueueSync(t.Context(), &n.tenant, n.id, store.NewRun{SyncType: store.Full, RequestedBy: "test"})
	require.NoError(t, err)
	n.settled(t)
	runs := connectRow[int](t, n.connectWorld, `SELECT count(*) FROM integration_sync_logs`)
	require.True(t, n.fake.Delete(sandbox.DefaultCompany, 4))
	require.NoError(t, n.fake.Merge(sandbox.DefaultCompany, 1, 2))
	require.Eventually(t, func() bool {
		return connectRow[string](t, n.connectWorld, `SELECT coalesce(string_agg(external_id, ',' ORDER BY external_id), '') FROM contacts WHERE deleted_at IS NOT NULL`) == "2,4"
	}, 30*time.Second, 10*time.Millisecond)
	n.settled(t)
	n.requireSame(t)
	require.Equal(t, runs, connectRow[int](t, n.connectWorld, `SELECT count(*) FROM integration_sync_logs`))
}

func personEvent(id, person string) string {
	return fmt.Sprintf(`{"meta":{"action":"change","entity":"person","entity_id":%q,"id":%q},"data":{"id":1,"name":"Zoë Geheim"}}`, person, id)
}

func TestWebhooks(t *testing.T) {
	t.Parallel()

	n := newNotified(t, 3)
	path := "/webhooks/pipedrive/" + n.channel

	t.Run("WhoeverIsNotTheProviderChangesNothing", func(t *testing.T) { //nolint:paralleltest // in order
		for name, c := range map[string]struct {
			path, secret, body string
			status             int
		}{
			"another secret":           {path, "guessed", personEvent("x", "1"), http.StatusUnauthorized},
			"no secret":                {path, "", personEvent("x", "1"), http.StatusUnauthorized},
			"no such channel":          {"/webhooks/pipedrive/" + uuid.NewString(), n.secret, personEvent("x", "1"), http.StatusNotFound},
			"a channel of no form":     {"/webhooks/pipedrive/1", n.secret, personEvent("x", "1"), http.StatusNotFound},
			"a channel otherwise":      {strings.ToUpper(n.channel), n.secret, personEvent("x", "1"), http.StatusNotFound},
			"no channel":               {"/webhooks/pipedrive", n.secret, personEvent("x", "1"), http.StatusNotFound},
			"no such provider":         {"/webhooks/nobody/" + n.channel, n.secret, personEvent("x", "1"), http.StatusNotFound},
			"a body beyond all bounds": {path, n.secret, strings.Repeat(" ", 3<<20+1), http.StatusRequestEntityTooLarge},
		} {
			if !strings.HasPrefix(c.path, "/") {
				c.path = "/webhooks/pipedrive/" + c.path
			}
			status, answer := n.post(t, c.path, c.secret, c.body)
			require.Equal(t, c.status, status, "%s: %v", name, answer)
			require.NotEmpty(t, answer["code"], name)
		}
		require.Zero(t, n.deliveries(t))
	})

	t.Run("AnEventCountsOnce", func(t *testing.T) { //nolint:paralleltest // in order
		for _, want := range []string{"stored", "duplicate", "duplicate"} {
			status, answer := n.post(t, path, n.secret, personEvent("one", "1"))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, want, answer["result"])
		}
		require.Equal(t, 1, n.deliveries(t))
		status, answer := n.post(t, path, n.secret, personEvent("two", "1")+strings.Repeat(" ", 2<<20))
		require.Equal(t, http.StatusOK, status, "%v", answer)
		require.Equal(t, 2, n.deliveries(t))
	})

	t.Run("WhatDoesNotConcernUsIsNotKept", func(t *testing.T) { //nolint:paralleltest // in order
		status, answer := n.post(t, path, n.secret, `{"meta":{"action":"change","entity":"deal","entity_id":"1","id":"three"}}`)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "ignored", answer["result"])
		require.Equal(t, 2, n.deliveries(t))
	})

	t.Run("WhatIsNotUnderstoodIsKept", func(t *testing.T) { //nolint:paralleltest // in order
		status, answer := n.post(t, path, n.secret, `{"meta":{"entity":"person"`)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "malformed", answer["result"])
		require.Equal(t, 1, connectRow[int](t, n.connectWorld, `SELECT count(*) FROM webhook_deliveries WHERE error IS NOT NULL AND processed_at IS NOT NULL`))
	})

	t.Run("AnotherSecretIsLearned", func(t *testing.T) { //nolint:paralleltest // in order
		sub, err := n.store.SubscriptionOf(t.Context(), "pipedrive", uuid.MustParse(n.channel))
		require.NoError(t, err)
		const secret = "AnotherSecret0123456789"
		was := store.SealedSecret{IntegrationID: n.id, Secret: sub.Secret}
		require.NoError(t, n.store.ReplaceSecret(t.Context(), was, n.vault.Seal(n.id, vault.Secret, secret)))
		status, _ := n.post(t, path, secret, personEvent("four", "2"))
		require.Equal(t, http.StatusOK, status)
		old := n.secret
		n.secret = secret
		status, _ = n.post(t, path, old, personEvent("five", "2"))
		require.Equal(t, http.StatusUnauthorized, status)
	})

	t.Run("APausedAccountGoesOnNotingAndADisconnectedOneDoesNot", func(t *testing.T) { //nolint:paralleltest // in order
		status, _ := n.call(t, http.DefaultClient, http.MethodPatch, "/v1/integrations/"+n.id.String(), n.key, map[string]any{"paused": true})
		require.Equal(t, http.StatusOK, status)
		status, answer := n.post(t, path, n.secret, personEvent("six", "3"))
		require.Equal(t, http.StatusOK, status, "%v", answer)
		status, _ = n.call(t, http.DefaultClient, http.MethodDelete, "/v1/integrations/"+n.id.String(), n.key, nil)
		require.Equal(t, http.StatusOK, status)
		status, _ = n.post(t, path, n.secret, personEvent("seven", "3"))
		require.Equal(t, http.StatusNotFound, status, "also while its secret is remembered")
		require.Empty(t, n.fake.Subscriptions())
	})

	t.Run("NothingOfThemIsLogged", func(t *testing.T) { //nolint:paralleltest // in order
		require.NotContains(t, n.log.String(), n.secret)
		require.NotContains(t, n.log.String(), "Geheim")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.base+"/metrics", http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer an admin key of a test")
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		metrics, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		for _, line := range []string{
			`enlace_webhooks_total{provider="none",result="unknown"} 1`, `enlace_webhooks_total{provider="pipedrive",result="duplicate"} 2`,
			`enlace_webhooks_total{provider="pipedrive",result="malformed"} 1`, `enlace_webhooks_total{provider="pipedrive",result="stored"} 4`,
		} {
			require.Contains(t, string(metrics), line)
		}
	})
}

// An app's own address takes notifications of all accounts; each names its own.
func TestNotificationsOfAnApp(t *testing.T) {
	t.Parallel()

	read := func(n providers.Notification) ([]providers.Change, error) {
		if n.Header.Get("X-Signature") != n.URL {
			return nil, providers.ErrUnverified
		}
		var list []providers.Change
		if json.Unmarshal(n.Body, &list) != nil {
			return nil, errors.New("no list")
		}
		return list, nil
	}
	n := &notified{connectWorld: newConnectWorld(t, func(o *api.Options) {
		o.Providers = append(o.Providers, &providers.Provider{Name: "crm", Title: "CRM", Changes: &providers.Changes{Read: read}})
	})}
	accounts := map[string]uuid.UUID{}
	for _, account := range []string{"1", "2", "3"} {
		accounts[account] = connectRow[uuid.UUID](t, n.connectWorld, `INSERT INTO integrations (tenant_id, provider, external_account_id) VALUES ($1, 'crm', $2) RETURNING id`, uuid.New(), account)
	}
	post := func(path, signature string, changes ...providers.Change) int {
		body, err := json.Marshal(changes)
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.base+path, bytes.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("X-Signature", signature)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	mixed := []providers.Change{
		{Key: "a", Account: "1", ExternalIDs: []string{"501"}},
		{Key: "b", Account: "2", ExternalIDs: []string{"777"}, Deleted: true},
		{Key: "c", Account: "elsewhere", ExternalIDs: []string{"1"}},
		{Key: "d", ExternalIDs: []string{"2"}},
	}
	require.Equal(t, http.StatusUnauthorized, post("/webhooks/crm", "forged", mixed...))
	require.Equal(t, http.StatusNotFound, post("/webhooks/crm/"+uuid.NewString(), "", mixed...))
	require.Equal(t, http.StatusOK, post("/webhooks/crm?src=a%3Ab", n.base+"/webhooks/crm?src=a%3Ab", mixed...))
	mixed[0], mixed[1] = mixed[1], mixed[0]
	require.Equal(t, http.StatusOK, post("/webhooks/crm", n.base+"/webhooks/crm", mixed...), "the same events in another order")
	require.Equal(t, 1, n.deliveries(t))

	_, err := n.worker.Jobs().WorkInbox(t.Context(), 0, 10, store.Settling{After: time.Hour, Patience: time.Hour})
	require.NoError(t, err)
	require.Equal(t, "501 false", connectRow[string](t, n.connectWorld, `SELECT external_id || ' ' || deleted FROM pending_changes WHERE integration_id = $1`, accounts["1"]))
	require.Equal(t, "777 true", connectRow[string](t, n.connectWorld, `SELECT external_id || ' ' || deleted FROM pending_changes WHERE integration_id = $1`, accounts["2"]))
	require.Equal(t, 2, connectRow[int](t, n.connectWorld, `SELECT count(*) FROM pending_changes`))
}

// Many at once share transactions, and each learns what became of its own.
func TestDeliveriesShareTransactions(t *testing.T) {
	t.Parallel()

	n := newNotified(t, 3)
	path := "/webhooks/pipedrive/" + n.channel
	var group sync.WaitGroup
	var mu sync.Mutex
	results := map[string]int{}
	for i := range 300 {
		group.Go(func() {
			status, answer := n.post(t, path, n.secret, personEvent(strconv.Itoa(i%100), "1"))
			mu.Lock()
			defer mu.Unlock()
			results[fmt.Sprintf("%d %v", status, answer["result"])]++
		})
	}
	group.Wait()
	require.Equal(t, map[string]int{"200 stored": 100, "200 duplicate": 200}, results)
	require.Equal(t, 100, n.deliveries(t))
}

// What has been sent and not yet stored is bounded; beyond it the provider is asked to come again.
func TestNotificationsHaveSoMuchRoom(t *testing.T) {
	t.Parallel()

	n := newNotified(t, 1)
	n.server.SetRoom(62 << 10)
	path := "/webhooks/pipedrive/" + n.channel
	status, _ := n.post(t, path, n.secret, "{}")
	require.Equal(t, http.StatusOK, status)

	from, to := io.Pipe()
	held, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.base+path, from)
	require.NoError(t, err)
	held.Header.Set("Content-Type", "application/json")
	ended := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(held)
		if err != nil {
			ended <- 0
			return
		}
		_ = resp.Body.Close()
		ended <- resp.StatusCode
	}()
	_, err = to.Write(bytes.Repeat([]byte(" "), 40<<10)) // of 4 + 8 + 16 + 32 KiB that it takes
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		status, answer := n.post(t, path, n.secret, "{}")
		return status == http.StatusServiceUnavailable && answer["code"] == "internal"
	}, 20*time.Second, 10*time.Millisecond, "there is no room")
	require.NoError(t, to.Close())
	require.NotZero(t, <-ended)
	status, _ = n.post(t, path, n.secret, "{}")
	require.Equal(t, http.StatusOK, status, "there is room again")
}
