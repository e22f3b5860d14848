package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/worker"
)

// subscription is a row of webhook_subscriptions.
type subscription struct {
	Channel, Status, External string
	Live                      bool // it has been confirmed, and nothing is lost
}

// subscribed waits until the account's subscription is there, and returns it.
func (n *noticing) subscribed(t *testing.T) subscription {
	t.Helper()
	var s subscription
	require.Eventually(t, func() bool { s = n.subscription(t); return s.Live }, 30*time.Second, 10*time.Millisecond)
	return s
}

func (n *noticing) subscription(t *testing.T) (s subscription) {
	t.Helper()
	err := n.pool.QueryRow(context.Background(), `SELECT channel::text, status, coalesce(external_id, ''), status = 'live' AND lost_at IS NULL AND failures = 0
		FROM webhook_subscriptions WHERE integration_id = $1`, n.id).Scan(&s.Channel, &s.Status, &s.External, &s.Live)
	if err != nil {
		return subscription{}
	}
	return s
}

const gapRuns = `SELECT count(*) FROM integration_sync_logs WHERE requested_by = 'notices_gap'`

func TestSubscriptionIsMadeAndEnded(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, true, quick())
	n.start(t)
	first := n.subscribed(t)
	live := n.crm.live()
	require.Len(t, live, 1)
	require.Equal(t, "https://enlace.example.com/webhooks/crm/"+first.Channel, live[0].URL)
	require.Regexp(t, `^[A-Za-z0-9]{20,43}$`, live[0].Secret)
	require.Zero(t, n.count(t, `SELECT count(*) FROM webhook_subscriptions WHERE secret LIKE '%' || $1 || '%'`, live[0].Secret), "sealed")
	require.Zero(t, n.count(t, gapRuns), "nothing was missed")

	_, err := n.pool.Exec(t.Context(), `UPDATE integrations SET is_active = false`)
	require.NoError(t, err)
	require.Len(t, n.crm.live(), 1, "a paused one goes on noting")
	require.Equal(t, first, n.subscription(t))

	_, err = n.vault.Disconnect(t.Context(), nil, n.id)
	require.NoError(t, err)
	require.Empty(t, n.crm.live())
	require.Equal(t, subscription{}, n.subscription(t))

	require.Equal(t, n.id, n.connectAccount(t))
	again := n.subscribed(t)
	require.Len(t, n.crm.live(), 1)
	require.NotEqual(t, first.Channel, again.Channel)
}

// Case zo-09.
func TestSubscriptionsThatEnd(t *testing.T) {
	t.Parallel()

	t.Run("crm-zo-09 a, b: renewed at half of the life that was granted", func(t *testing.T) {
		t.Parallel()

		n := newNoticing(t, true, quick())
		n.crm.change(func() { n.crm.life = 3 * time.Second })
		n.start(t)
		first := n.subscribed(t)
		began := n.crm.live()[0].Expires
		require.Eventually(t, func() bool { return len(n.crm.live()) == 1 && n.crm.live()[0].Expires.After(began.Add(3*time.Second)) }, 30*time.Second, 10*time.Millisecond,
			"renewed at least twice")
		require.Equal(t, 1, n.crm.number(&n.crm.made), "it never ended")
		require.Equal(t, first, n.subscribed(t))
		require.Zero(t, n.count(t, gapRuns))
		require.Empty(t, n.incidents(t))
	})

	t.Run("crm-zo-09 c: what was missed while it couldn't be renewed is read", func(t *testing.T) {
		t.Parallel()

		n := newNoticing(t, true, quick())
		n.crm.change(func() { n.crm.life = 2 * time.Second })
		n.start(t)
		n.fill(t, 5)
		n.subscribed(t)
		n.crm.change(func() { n.crm.refusal = 500 })
		require.Eventually(t, func() bool { return len(n.incidents(t)) == 1 }, 30*time.Second, 10*time.Millisecond)
		require.Equal(t, []string{"webhook_lost"}, n.incidents(t))
		require.Empty(t, n.crm.live())
		require.Zero(t, n.count(t, gapRuns))
		n.crm.put("1", "Changed unseen")
		n.crm.remove("2")
		lists := n.crm.number(&n.crm.deleted)

		n.crm.change(func() { n.crm.refusal, n.crm.life = 0, time.Hour })
		n.subscribed(t)
		n.settled(t)
		require.Equal(t, 1, n.count(t, gapRuns))
		require.Greater(t, n.crm.number(&n.crm.deleted), lists, "the list of deletions was read")
		n.requireSame(t)
		require.Empty(t, n.incidents(t))
		require.Len(t, n.crm.live(), 1)
	})

	t.Run("ALostOneIsFoundAndMadeAnew", func(t *testing.T) {
		t.Parallel()

		spans := quick()
		spans.Check = time.Second
		n := newNoticing(t, true, spans)
		n.start(t)
		n.fill(t, 2)
		first := n.subscribed(t)
		n.crm.put("1", "Changed unseen")
		n.crm.change(func() { clear(n.crm.subs) })
		require.Eventually(t, func() bool { return n.count(t, gapRuns) == 1 }, 30*time.Second, 10*time.Millisecond)
		n.settled(t)
		n.requireSame(t)
		require.Equal(t, first.Channel, n.subscribed(t).Channel)
		require.Len(t, n.crm.live(), 1)
	})

	t.Run("AnAccountThatMayNotIsAskedDaily", func(t *testing.T) {
		t.Parallel()

		n := newNoticing(t, true, quick())
		n.crm.change(func() { n.crm.refusal = 422 })
		n.start(t)
		require.Eventually(t, func() bool { return n.subscription(t).Status == "refused" }, 30*time.Second, 10*time.Millisecond)
		require.Equal(t, 1, n.count(t, `SELECT count(*) FROM webhook_subscriptions WHERE due_at > now() + interval '23 hours'`))
		require.Empty(t, n.incidents(t), "it never worked")

		n.crm.change(func() { n.crm.refusal = 0 })
		require.NoError(t, n.due(t))
		n.subscribed(t)
		n.crm.change(func() { n.crm.refusal = 422; clear(n.crm.subs) })
		require.NoError(t, n.due(t))
		require.Eventually(t, func() bool { return len(n.incidents(t)) == 1 }, 30*time.Second, 10*time.Millisecond, "it worked before")
		require.Equal(t, 1, n.count(t, `SELECT count(*) FROM webhook_subscriptions WHERE due_at > now() + interval '23 hours'`))
	})

	t.Run("WeHaveMoved", func(t *testing.T) {
		t.Parallel()

		n := newNoticing(t, true, quick())
		stop := n.begin(t)
		first := n.subscribed(t)
		stop()
		n.public = "https://elsewhere.example.com/enlace"
		n.worker = n.newWorker(t)
		n.start(t)
		require.Eventually(t, func() bool { return n.count(t, gapRuns) == 1 }, 30*time.Second, 10*time.Millisecond)
		live := n.crm.live()
		require.Len(t, live, 1)
		require.Equal(t, "https://elsewhere.example.com/enlace/webhooks/crm/"+first.Channel, live[0].URL)
	})
}

// due makes the account's subscription due.
func (n *noticing) due(t *testing.T) error {
	t.Helper()
	_, err := n.pool.Exec(t.Context(), `UPDATE webhook_subscriptions SET due_at = now()`)
	return err
}

// begin starts the worker and returns what stops it.
func (n *noticing) begin(t *testing.T) (stop func()) {
	t.Helper()
	w := n.worker
	require.NoError(t, w.Start(t.Context()))
	return func() { stopWorker(t, w) }
}

// A secret that no key opens costs the account nothing but a new subscription.
func TestASecretWithoutItsKey(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, true, quick())
	n.start(t)
	n.subscribed(t)
	was := n.crm.live()[0]
	_, err := n.pool.Exec(t.Context(), `UPDATE webhook_subscriptions SET secret = 'v1.00000000.AAAA', due_at = now()`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { live := n.crm.live(); return len(live) == 1 && live[0].Secret != was.Secret }, 30*time.Second, 10*time.Millisecond)
	n.subscribed(t)
	require.Equal(t, was.URL, n.crm.live()[0].URL, "the channel stays")
	require.Equal(t, 1, n.count(t, gapRuns))
}

// However many workers there are, and however a disconnect comes between, one subscription is there at the end, or none.
func TestSubscribersSideBySide(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, true, quick())
	n.start(t)
	for range 2 {
		more := n.newWorker(t)
		require.NoError(t, more.Start(t.Context()))
		t.Cleanup(func() { stopWorker(t, more) })
	}
	for range 5 {
		n.subscribed(t)
		require.Len(t, n.crm.live(), 1)
		_, err := n.vault.Disconnect(t.Context(), nil, n.id)
		require.NoError(t, err)
		require.Empty(t, n.crm.live())
		n.connectAccount(t)
	}
	n.subscribed(t)
	require.Len(t, n.crm.live(), 1)
	require.Equal(t, 6, n.crm.number(&n.crm.made))
}

func stopWorker(t *testing.T, w *worker.Worker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, w.Stop(ctx))
}

// Without an address of ours no provider is asked.
func TestNobodyIsAskedWithoutAPublicURL(t *testing.T) {
	t.Parallel()

	n := newNoticing(t, true, quick())
	n.public = ""
	n.worker = n.newWorker(t)
	n.start(t)
	require.Eventually(t, func() bool {
		return n.count(t, `SELECT count(*) FROM river.river_job WHERE kind = 'webhook_subscribe' AND state = 'completed'`) > 1
	}, 30*time.Second, 10*time.Millisecond)
	require.Zero(t, n.crm.number(&n.crm.asked))
}
