package api_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
)

// syncing is a tenant with a connected account in the middle of a full sync.
type syncing struct {
	*connectWorld

	id  uuid.UUID
	run store.Run
}

func newSyncing(t *testing.T) *syncing {
	t.Helper()
	matches, err := filepath.Glob("../../shared/cases/crm/pd-16-*.json")
	require.NoError(t, err)
	if len(matches) == 0 {
		t.Skip("the shared cases are not here")
	}
	_, err = os.ReadFile(matches[0])
	require.NoError(t, err)

	s := &syncing{connectWorld: newConnectWorld(t, nil)}
	query := s.landed(t, s.browser(t), s.connectURL(t, map[string]string{"provider": "pipedrive"}))
	s.id = uuid.MustParse(query.Get("integration_id"))
	require.NoError(t, s.fake.SetContacts(sandbox.DefaultCompany, 400))
	require.NoError(t, s.fake.Configure(func(p *sandbox.PipedriveSettings) { p.PageLimit, p.LatencyMS = 5, 20 }))
	require.NoError(t, s.worker.Start(t.Context()))
	t.Cleanup(func() { s.stop(t) })
	s.run, err = s.worker.Jobs().EnqueueSync(t.Context(), &s.tenant, s.id, store.NewRun{SyncType: store.Full, RequestedBy: "test"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.pages(t) > 2 }, 30*time.Second, 10*time.Millisecond)
	return s
}

func (s *syncing) pages(t *testing.T) int {
	t.Helper()
	return connectRow[int](t, s.connectWorld, `SELECT pages FROM integration_sync_logs WHERE id = $1`, s.run.ID)
}

// stop lets the worker end, once.
func (s *syncing) stop(t *testing.T) {
	t.Helper()
	if s.worker == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, s.worker.Stop(ctx))
	s.worker = nil
}

// ended is how integration, run and job are; "" while the job hasn't ended.
func (s *syncing) ended(t *testing.T) string {
	t.Helper()
	return connectRow[string](t, s.connectWorld, `SELECT CASE WHEN j.state = 'running' OR j.finalized_at IS NULL THEN '' ELSE
		concat_ws('/', i.status, coalesce(i.access_token, '-') || coalesce(i.refresh_token, '-'), r.status, r.error_code) END
		FROM integrations i JOIN integration_sync_logs r ON r.integration_id = i.id JOIN river.river_job j ON j.id = r.job_id WHERE r.id = $1`, s.run.ID)
}

// lists counts the pages that were asked for.
func (s *syncing) lists() int { return s.fake.Calls()["/api/v2/persons"] }

// notice is Pipedrive's own call, or one that pretends to be.
func (s *syncing) notice(t *testing.T, secret, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.base+"/functions/v1/oauth-callback", bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	r.SetBasicAuth(sandbox.DefaultClientID, secret)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// requireOver is the end of cases a, b and c.
func (s *syncing) requireOver(t *testing.T, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return s.ended(t) != "" }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, want, s.ended(t))
	stored := connectRow[int](t, s.connectWorld, `SELECT count(*) FROM contacts WHERE integration_id = $1 AND deleted_at IS NULL`, s.id)
	require.Positive(t, stored, "contacts are kept")
	require.Less(t, stored, 400, "it was in the middle")
	require.Eventually(t, func() bool { return s.fake.InFlight() == 0 }, 20*time.Second, 10*time.Millisecond)
	calls := s.lists()
	s.stop(t)
	require.Equal(t, calls, s.lists(), "no further call")
}

const uninstallOfAccount = `{"client_id":"sandbox-client","company_id":"4242","user_id":7001,"timestamp":"2026-11-25T08:00:00.000Z"}`

func TestDisconnectAlwaysWorks(t *testing.T) {
	t.Parallel()

	t.Run("crm-pd-16 a: revoke answers 200", func(t *testing.T) {
		t.Parallel()

		s := newSyncing(t)
		status, answer := s.call(t, http.DefaultClient, http.MethodDelete, "/v1/integrations/"+s.id.String(), s.key, nil)
		require.Equal(t, http.StatusOK, status, "%v", answer)
		require.Equal(t, "withdrawn", answer["withdrawal"])
		s.requireOver(t, "disconnected/--/failed/cancelled")
		require.Equal(t, 1, s.fake.Calls()["/oauth/revoke"])
	})

	t.Run("crm-pd-16 b: revoke hangs", func(t *testing.T) {
		t.Parallel()

		s := newSyncing(t)
		require.NoError(t, s.fake.Faults(sandbox.Fault{Path: "/oauth/revoke", Times: sandbox.Forever, Kind: sandbox.FaultHang}))
		status, answer := s.call(t, http.DefaultClient, http.MethodDelete, "/v1/integrations/"+s.id.String(), s.key, nil)
		require.Equal(t, http.StatusOK, status, "%v", answer)
		require.Equal(t, "failed", answer["withdrawal"])
		s.requireOver(t, "disconnected/--/failed/cancelled")
	})

	t.Run("crm-pd-16 c: the uninstall call arrives, twice", func(t *testing.T) {
		t.Parallel()

		s := newSyncing(t)
		status, err := s.fake.Uninstall(t.Context(), sandbox.DefaultCompany, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		s.requireOver(t, "disconnected/--/failed/needs_reauth")
		generation := connectRow[int](t, s.connectWorld, `SELECT token_generation FROM integrations WHERE id = $1`, s.id)
		require.Equal(t, http.StatusOK, s.notice(t, sandbox.DefaultClientSecret, uninstallOfAccount), "its answer isn't read, but a person may look")
		require.Equal(t, generation, connectRow[int](t, s.connectWorld, `SELECT token_generation FROM integrations WHERE id = $1`, s.id), "the second changes nothing")
		require.Equal(t, 1, connectRow[int](t, s.connectWorld, `SELECT count(*) FROM audit_log WHERE action = 'integration.uninstall'`))

		query := s.landed(t, s.browser(t), s.connectURL(t, map[string]string{"provider": "pipedrive"}))
		require.Equal(t, s.id.String(), query.Get("integration_id"), "connecting again finds the same row")
	})

	t.Run("crm-pd-16 d: wrong credentials", func(t *testing.T) {
		t.Parallel()

		s := newSyncing(t)
		require.Equal(t, http.StatusUnauthorized, s.notice(t, "guessed", uninstallOfAccount))
		require.Equal(t, store.Connected, connectRow[string](t, s.connectWorld, `SELECT status FROM integrations WHERE id = $1`, s.id))
		require.Equal(t, http.StatusOK, s.notice(t, sandbox.DefaultClientSecret, `{"company_id":1,"user_id":2}`), "an account that nobody has here")
		require.Equal(t, http.StatusBadRequest, s.notice(t, sandbox.DefaultClientSecret, `{}`), "a notice about nobody")
		require.Equal(t, store.Connected, connectRow[string](t, s.connectWorld, `SELECT status FROM integrations WHERE id = $1`, s.id))
		before := s.pages(t)
		require.Eventually(t, func() bool { return s.pages(t) > before }, 20*time.Second, 10*time.Millisecond, "the sync goes on")
	})
}
