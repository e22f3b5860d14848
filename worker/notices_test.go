package worker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/store/vault"
	"example.com/enlace/worker"
)

// noticing is a tenant with an account of a [crm], and a worker that has yet to start.
type noticing struct {
	*world

	crm *crm
}

// quick are spans in which notices are read within a moment.
func quick() worker.Spans {
	return worker.Spans{
		Settle: 50 * time.Millisecond, Patience: 300 * time.Millisecond, Flood: time.Second, Subscribe: 50 * time.Millisecond,
		Look: 100 * time.Millisecond, Schedule: time.Hour, Backoff: 20 * time.Millisecond,
	}
}

const crmAccount = "acme"

func newNoticing(t *testing.T, perAccount bool, spans worker.Spans) *noticing {
	t.Helper()
	n := &noticing{crm: newCRM(t), world: &world{pool: storetest.Pool(t), tenant: uuid.New(), spans: spans}}
	n.list = []*providers.Provider{n.crm.provider(perAccount)}
	keys, err := vault.NewKeyring(key)
	require.NoError(t, err)
	n.store = store.New(n.pool, store.WithLease(time.Second))
	n.vault = vault.New(n.store, keys, n.list, vault.Options{Notices: time.Second})
	t.Cleanup(func() { require.NoError(t, n.vault.Close(context.Background())) })
	n.public = "https://enlace.example.com"
	n.worker = n.newWorker(t)
	n.id = n.connectAccount(t)
	return n
}

// connectAccount stores a grant of the account.
func (n *noticing) connectAccount(t *testing.T) uuid.UUID {
	t.Helper()
	id, _, err := n.vault.StoreGrant(t.Context(), vault.Connection{
		TenantID: n.tenant, Provider: "crm", Identity: providers.Identity{ExternalID: crmAccount, Name: "Acme"},
		Grant: providers.Grant{AccessToken: "access", RefreshToken: "refresh", ExpiresAt: time.Now().Add(time.Hour), APIDomain: n.crm.server.URL},
	})
	require.NoError(t, err)
	return id
}

// fill stores people, and syncs them.
func (n *noticing) fill(t *testing.T, people int) {
	t.Helper()
	for i := range people {
		n.crm.put(strconv.Itoa(i+1), "Person")
	}
	require.Equal(t, store.Completed, n.sync(t, store.Full).Status)
}

// delivery is what comes when records change.
func delivery(deleted bool, ids ...string) store.Delivery {
	event := uuid.New()
	return store.Delivery{Provider: "crm", Key: event[:], Body: []byte("{}"), Changes: []store.NotedChange{{Account: crmAccount, ExternalIDs: ids, Deleted: deleted}}}
}

// notice lets deliveries come, and returns what became of them.
func (n *noticing) notice(t *testing.T, list ...store.Delivery) []store.Receipt {
	t.Helper()
	receipts, err := n.worker.Jobs().Receive(t.Context(), list)
	require.NoError(t, err)
	return receipts
}

const notSettled = `
SELECT (SELECT count(*) FROM webhook_deliveries WHERE processed_at IS NULL) + (SELECT count(*) FROM pending_changes)
     + (SELECT count(*) FROM change_queues) + (SELECT count(*) FROM integration_sync_logs WHERE status IN ('pending', 'in_progress'))`

// settled waits until all that was noticed has been read.
func (n *noticing) settled(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return n.count(t, notSettled) == 0 }, 60*time.Second, 10*time.Millisecond)
}

func (n *noticing) count(t *testing.T, sql string, args ...any) (v int) {
	t.Helper()
	require.NoError(t, n.pool.QueryRow(context.Background(), sql, args...).Scan(&v), sql)
	return v
}

func (n *noticing) requireSame(t *testing.T) {
	t.Helper()
	requireSameContacts(t, n.pool, n.id, n.crm.living())
}

func TestNotices(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, false, quick())
	n.start(t)
	n.fill(t, 10)
	lists := n.crm.number(&n.crm.lists)
	runs := n.count(t, `SELECT count(*) FROM integration_sync_logs`)

	n.crm.put("1", "Changed")
	n.crm.put("11", "New")
	n.crm.remove("2")
	first := delivery(false, "1", "11")
	require.Equal(t, []store.Receipt{store.DeliveryStored, store.DeliveryStored}, n.notice(t, first, delivery(true, "2")))
	require.Equal(t, []store.Receipt{store.DeliveryDuplicate, store.DeliveryDuplicate}, n.notice(t, first, first), "the same event again")
	n.notice(t, delivery(false, "1"), delivery(false, "99"))
	n.settled(t)

	n.requireSame(t)
	for _, id := range []string{"2", "11", "99"} {
		require.Equal(t, 1, n.crm.readsOf(id), "record %s", id)
	}
	require.Contains(t, []int{1, 2}, n.crm.readsOf("1"), "by its second notice again, if a busy machine took that up only after the first reading")
	require.Equal(t, 3+n.crm.readsOf("1"), n.crm.readsOf(""))
	require.Equal(t, lists, n.crm.number(&n.crm.lists), "nothing was listed")
	require.Equal(t, runs, n.count(t, `SELECT count(*) FROM integration_sync_logs`), "and no run made")
	require.Equal(t, 2, n.count(t, `SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL`), "2, and 99, which a late page must not bring to life")
	require.Equal(t, 10, n.count(t, `SELECT count(*) FROM contacts WHERE last_run_id IS NOT NULL`), "a read outside of a run leaves a row its run")

	n.crm.put("2", "Restored")
	n.notice(t, delivery(false, "2"))
	n.settled(t)
	n.requireSame(t)

	reads := n.crm.readsOf("1")
	stray := delivery(false, "1")
	stray.Changes[0].Account = "somebody else"
	broken := delivery(false)
	broken.Error = "it is no event"
	n.notice(t, stray, broken)
	n.settled(t)
	require.Equal(t, 1, n.count(t, `SELECT count(*) FROM webhook_deliveries WHERE error = 'it is no event' AND processed_at IS NOT NULL`))
	require.Equal(t, reads, n.crm.readsOf("1"), "of another account")
}

// The storm of DESIGN §5 and PROOFS-sync §5: much of it is read by one run, deletions one by one.
func TestStorm(t *testing.T) {
	t.Parallel()

	const people = 1000
	spans := quick()
	spans.Settle, spans.Patience = 500*time.Millisecond, 3*time.Second // a tenth of the product's
	n := newNoticing(t, false, spans)
	n.start(t)
	n.fill(t, people)
	var list []store.Delivery
	for i := range people {
		id := strconv.Itoa(i + 1)
		if i%40 == 0 {
			n.crm.remove(id)
		} else {
			n.crm.put(id, "Changed "+id)
		}
		for range 4 {
			list = append(list, delivery(i%40 == 0, id))
		}
		list = append(list, list[len(list)-1]) // delivered twice
	}
	require.Len(t, list, 5*people)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for len(list) > 0 {
		k := min(len(list), 1+rand.IntN(60))
		n.notice(t, list[:k]...)
		list = list[k:]
	}
	n.settled(t)
	n.requireSame(t)
	require.Equal(t, people/40, n.count(t, `SELECT count(*) FROM contacts WHERE deleted_at IS NOT NULL`))
	require.LessOrEqual(t, n.crm.readsOf(""), people)
	require.Positive(t, n.count(t, `SELECT count(*) FROM integration_sync_logs WHERE requested_by = 'notices' AND sync_type = 'incremental'`))
	t.Logf("%d reads, %d runs", n.crm.readsOf(""), n.count(t, `SELECT count(*) FROM integration_sync_logs WHERE requested_by = 'notices'`))
}

func TestARunReadsAtMostEverySoOften(t *testing.T) {
	t.Parallel()

	spans := quick()
	spans.Flood = time.Hour
	n := newNoticing(t, false, spans)
	n.start(t)
	n.fill(t, 250)
	many := func() store.Delivery {
		var ids []string
		for i := range 200 {
			n.crm.put(strconv.Itoa(i+1), "Changed")
			ids = append(ids, strconv.Itoa(i+1))
		}
		return delivery(false, ids...)
	}
	n.notice(t, many())
	n.settled(t)
	n.requireSame(t)
	require.Zero(t, n.crm.readsOf(""))

	n.crm.remove("250")
	n.notice(t, many(), delivery(true, "250"))
	require.Eventually(t, func() bool {
		return n.count(t, `SELECT count(*) FROM contacts WHERE external_id = '250' AND deleted_at IS NOT NULL`) == 1
	}, 30*time.Second, 10*time.Millisecond, "a deletion doesn't wait for the run")
	require.Equal(t, 200, n.count(t, `SELECT count(*) FROM pending_changes`), "the others do")
	require.Equal(t, 1, n.count(t, `SELECT count(*) FROM integration_sync_logs WHERE requested_by = 'notices'`))
	require.Equal(t, 1, n.crm.readsOf(""))
}

// A notice that comes while its record is read may tell of a later change: the record is read again.
func TestANoticeDuringItsRead(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, false, quick())
	n.start(t)
	n.fill(t, 3)
	gate, reading := make(chan struct{}), make(chan string, 10)
	n.crm.change(func() { n.crm.gate, n.crm.reading = gate, reading })
	n.crm.put("1", "First change")
	n.notice(t, delivery(false, "1"))
	require.Equal(t, "1", <-reading) // and has taken the first change
	n.crm.put("1", "Second change")
	n.notice(t, delivery(false, "1"))
	require.Eventually(t, func() bool {
		return n.count(t, `SELECT count(*) FROM webhook_deliveries WHERE processed_at IS NULL`) == 0
	}, 20*time.Second, 5*time.Millisecond)
	close(gate)
	n.settled(t)
	n.requireSame(t)
	require.Equal(t, 2, n.crm.readsOf("1"))
}

// What becomes of a changed record whose read goes wrong.
func TestRefusedReads(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		status      int
		integration string
		reason      string // of the queue's wait
		quarantine  int
	}{
		"a limit waits":                          {429, store.Connected, "rate_limited", 0},
		"a refusal of one record is kept":        {400, store.Connected, "", 1},
		"a token that is refused stops the rest": {403, store.NeedsReauth, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			n := newNoticing(t, false, quick())
			n.start(t)
			n.fill(t, 3)
			n.crm.change(func() { n.crm.statuses["1"] = c.status })
			n.crm.put("1", "Changed")
			n.notice(t, delivery(false, "1"))
			state := func() string {
				var s string
				require.NoError(t, n.pool.QueryRow(context.Background(), `SELECT i.status || '/' || coalesce((SELECT coalesce(q.waiting_reason, '') FROM change_queues q), '')
					|| '/' || (SELECT count(*) FROM sync_failures WHERE resolved_at IS NULL) FROM integrations i`).Scan(&s))
				return s
			}
			want := fmt.Sprintf("%s/%s/%d", c.integration, c.reason, c.quarantine)
			require.Eventually(t, func() bool { return n.crm.readsOf("1") > 0 && state() == want }, 30*time.Second, 2*time.Millisecond, "want %s", want)

			n.crm.change(func() { delete(n.crm.statuses, "1") })
			if c.integration == store.NeedsReauth {
				require.Equal(t, 1, n.count(t, `SELECT count(*) FROM pending_changes`), "it waits for the person")
				require.Equal(t, n.id, n.connectAccount(t))
			}
			if c.quarantine > 0 {
				n.notice(t, delivery(false, "1"))
			}
			n.settled(t)
			n.requireSame(t)
			require.Zero(t, n.count(t, `SELECT count(*) FROM sync_failures WHERE resolved_at IS NULL`), "it has passed")
		})
	}
}

// A paused integration goes on noting; what it has noted is read when it is resumed. A disconnected one forgets.
func TestNoticesOfAPausedIntegration(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, false, quick())
	n.start(t)
	n.fill(t, 3)
	set := func(sql string) {
		_, err := n.pool.Exec(t.Context(), sql, n.id)
		require.NoError(t, err)
	}
	set(`UPDATE integrations SET is_active = false WHERE id = $1`)
	n.crm.put("1", "Changed")
	n.notice(t, delivery(false, "1"))
	require.Eventually(t, func() bool { return n.count(t, `SELECT count(*) FROM pending_changes`) == 1 }, 20*time.Second, 5*time.Millisecond)
	set(`UPDATE integrations SET is_active = true WHERE id = $1`)
	n.settled(t)
	n.requireSame(t)
	require.Equal(t, 1, n.crm.readsOf("1"), "and not before")

	set(`UPDATE integrations SET is_active = false WHERE id = $1`)
	n.notice(t, delivery(false, "2"))
	require.Eventually(t, func() bool { return n.count(t, `SELECT count(*) FROM pending_changes`) == 1 }, 20*time.Second, 5*time.Millisecond)
	_, err := n.vault.Disconnect(t.Context(), nil, n.id)
	require.NoError(t, err)
	n.notice(t, delivery(false, "3"))
	n.settled(t)
	require.Zero(t, n.crm.readsOf("2")+n.crm.readsOf("3"))
}

// A worker that stands still in the midst of a read loses its lease: another reads the record, and the first one, when it
// goes on, writes nothing.
func TestAWorkerThatStandsStill(t *testing.T) {
	t.Parallel()

	spans := quick()
	spans.Renew = time.Hour // it renews nothing, as if it had stopped
	n := newNoticing(t, false, spans)
	gate, reading := make(chan struct{}), make(chan string, 10)
	n.start(t)
	n.fill(t, 3)
	n.crm.change(func() { n.crm.gate, n.crm.reading = gate, reading })
	n.crm.put("1", "While it stood")
	n.notice(t, delivery(false, "1"))
	require.Equal(t, "1", <-reading)
	n.crm.change(func() { n.crm.gate = nil })
	n.crm.put("1", "Since")
	n.settled(t)
	n.requireSame(t)
	require.Equal(t, 2, n.crm.readsOf("1"))
	before := n.written(t)
	close(gate)
	require.Eventually(t, func() bool {
		return n.count(t, `SELECT count(*) FROM river.river_job WHERE kind = 'contact_changes' AND state = 'running'`) == 0
	}, 20*time.Second, 5*time.Millisecond)
	require.Equal(t, before, n.written(t), "whoever lost its lease writes nothing")
}

// Deliveries whose job is lost, and changes whose job a person has deleted or cancelled, are taken up.
func TestLostJobs(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, false, quick())
	n.crm.put("1", "Person")
	n.crm.put("2", "Person")
	n.notice(t, delivery(false, "1"))
	_, err := n.pool.Exec(t.Context(), `DELETE FROM river.river_job`)
	require.NoError(t, err)

	tx, err := n.pool.Begin(t.Context()) // of a worker that dies
	require.NoError(t, err)
	taken, err := n.store.TakeDeliveries(t.Context(), tx, 10)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	require.NoError(t, tx.Rollback(t.Context()))

	n.start(t)
	n.settled(t)
	require.Equal(t, 1, n.crm.readsOf("1"))

	n.crm.change(func() { n.crm.statuses["2"] = 500 })
	n.notice(t, delivery(false, "2"))
	for _, sql := range []string{
		`DELETE FROM river.river_job j USING change_queues q WHERE j.id = q.job_id AND j.state <> 'running'`,
		`UPDATE river.river_job j SET state = 'cancelled', finalized_at = now() FROM change_queues q WHERE j.id = q.job_id AND j.state <> 'running'`,
	} {
		require.Eventually(t, func() bool {
			tag, err := n.pool.Exec(context.Background(), sql)
			require.NoError(t, err)
			return tag.RowsAffected() == 1
		}, 20*time.Second, time.Millisecond)
	}
	n.crm.change(func() { delete(n.crm.statuses, "2") })
	n.settled(t)
	n.requireSame(t)
}

// Two rounds at once process each delivery once, and a queue never has two jobs.
func TestRoundsSideBySide(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, false, quick())
	for i := range 300 {
		n.notice(t, delivery(false, strconv.Itoa(i%50)))
	}
	require.Equal(t, 300, n.count(t, `SELECT count(*) FROM river.river_job WHERE kind = 'webhook_inbox'`))
	errs := make(chan error, 4)
	settling := store.Settling{After: time.Minute, Patience: time.Hour}
	for range cap(errs) {
		go func() {
			for {
				taken, err := n.worker.Jobs().WorkInbox(context.Background(), 0, 20, settling)
				if err != nil || taken == 0 {
					errs <- err
					return
				}
			}
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 300, n.count(t, `SELECT count(*) FROM webhook_deliveries WHERE processed_at IS NOT NULL`))
	require.Equal(t, 50, n.count(t, `SELECT count(*) FROM pending_changes`))
	require.Equal(t, 1, n.count(t, `SELECT count(*) FROM river.river_job j JOIN change_queues q ON q.job_id = j.id WHERE j.state = 'available'`))
	require.Zero(t, n.count(t, `SELECT count(*) FROM river.river_job WHERE kind = 'webhook_inbox' AND state = 'available'`), "their work is done")
	require.Zero(t, n.count(t, `SELECT count(*) FROM pending_changes WHERE due_at < last_noted_at + interval '1 minute'`))
}

// A record whose reading always fails waits alone; an account that answers nothing is left alone as a whole.
func TestARecordThatCannotBeReadHoldsUpNobody(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, false, quick())
	n.start(t)
	n.fill(t, 10)
	ids := make([]string, 10)
	for i := range ids {
		ids[i] = strconv.Itoa(i + 1)
		n.crm.put(ids[i], "Changed")
	}
	n.crm.change(func() { n.crm.statuses["1"], n.crm.statuses["2"] = 500, 500 })
	n.notice(t, delivery(false, ids...))
	require.Eventually(t, func() bool { return n.count(t, `SELECT count(*) FROM pending_changes`) == 2 }, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, 8, n.count(t, `SELECT count(*) FROM contacts WHERE name = 'Changed'`))
	require.Eventually(t, func() bool { return n.count(t, `SELECT min(failures) FROM pending_changes`) >= 2 }, 30*time.Second, 10*time.Millisecond, "each is tried again")
	require.Zero(t, n.count(t, `SELECT failures_in_row FROM change_queues`), "the account is well")
	n.crm.change(func() { clear(n.crm.statuses) })
	n.settled(t)
	n.requireSame(t)

	n.crm.change(func() {
		for _, id := range ids {
			n.crm.statuses[id] = 500
		}
	})
	n.notice(t, delivery(false, ids...))
	require.Eventually(t, func() bool { return n.count(t, `SELECT coalesce(max(failures_in_row), 0) FROM change_queues`) >= 1 }, 30*time.Second, 10*time.Millisecond)
	n.crm.change(func() { clear(n.crm.statuses) })
	n.settled(t)
	n.requireSame(t)
}
