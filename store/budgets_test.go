package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

func told(burst, limit, remaining int64) (u providers.Usage) {
	if burst > 0 {
		u.BurstLimit, u.BurstWindow = &burst, 300*time.Millisecond
	}
	if limit > 0 {
		u.DailyLimit = &limit
	}
	if remaining >= 0 {
		u.DailyRemaining = &remaining
	}
	return u
}

// However many workers pay at the same time, no window holds more than our share of the limit.
func TestPayKeepsTheWindow(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	key := store.BudgetKey{Provider: "crm", Account: "acme"}
	const limit, workers, each = 20, 4, 30
	var mu sync.Mutex
	var paid []time.Time
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for done := 0; done < each; {
				refused, _, err := s.Pay(t.Context(), key, store.Payment{Cost: 1, Told: told(limit, 0, -1)})
				if err != nil {
					return err
				}
				if refused.Reason == "" {
					done++
					mu.Lock()
					paid = append(paid, time.Now())
					mu.Unlock()
					continue
				}
				<-time.After(refused.For)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	var sent []time.Time
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT sent FROM rate_budgets`).Scan(&sent))
	require.LessOrEqual(t, len(sent), 16)
	require.Len(t, paid, workers*each)
	for i := range paid { // by our clock, which sees each a moment later
		in := 0
		for _, at := range paid[i:] {
			if at.Sub(paid[i]) < 250*time.Millisecond {
				in++
			}
		}
		require.LessOrEqual(t, in, 20, "the provider allows 20")
	}
}

func TestPayKeepsTheDaysBudget(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	key := store.BudgetKey{Provider: "crm", Account: "acme"}
	pay := func(p store.Payment) string {
		t.Helper()
		p.ResetsIn = time.Hour
		refused, _, err := s.Pay(t.Context(), key, p)
		require.NoError(t, err)
		if refused.Reason != "" {
			require.InDelta(t, time.Hour, refused.For, float64(time.Minute))
		}
		return refused.Reason
	}
	require.Empty(t, pay(store.Payment{Cost: 1000}), "nothing is known")
	require.Empty(t, pay(store.Payment{Cost: 10, Settled: 1000, Told: told(0, 100, 35)}), "35 are left: 25 after this")
	require.Equal(t, "reserve", pay(store.Payment{Cost: 10}), "15 would be, and 20 are for people")
	require.Empty(t, pay(store.Payment{Cost: 10, Interactive: true}))
	require.Equal(t, "quota_exhausted", pay(store.Payment{Cost: 16, Interactive: true}), "15 are left, unanswered ones counted")
	require.Empty(t, pay(store.Payment{Cost: 15, Interactive: true}))
	require.Equal(t, "quota_exhausted", pay(store.Payment{Cost: 1, Interactive: true}))
	require.Equal(t, "quota_exhausted", pay(store.Payment{Cost: 1, Settled: 35}), "an answer without a report changes nothing")
	require.Equal(t, "quota_exhausted", pay(store.Payment{Cost: 1, Interactive: true, Told: told(0, 0, 30)}), "an answer that was overtaken")
	_, err := pool.Exec(t.Context(), `UPDATE rate_budgets SET daily_told_at = daily_told_at - interval '1 minute'`)
	require.NoError(t, err)
	require.Empty(t, pay(store.Payment{Cost: 1, Told: told(0, 0, 30)}), "somebody bought more")

	_, err = pool.Exec(t.Context(), `UPDATE rate_budgets SET daily_remaining = 0, daily_resets_at = now() - interval '1 second'`)
	require.NoError(t, err)
	require.Empty(t, pay(store.Payment{Cost: 50}), "the day is over")
}

// What was paid and never answered is forgotten after a while, however busy the account is.
func TestUnansweredPaymentsAreForgotten(t *testing.T) {
	t.Parallel()

	pool := storetest.Pool(t)
	s := store.New(pool)
	key := store.BudgetKey{Provider: "crm", Account: "acme"}
	pay := func(p store.Payment) string {
		t.Helper()
		p.ResetsIn = time.Hour
		refused, _, err := s.Pay(t.Context(), key, p)
		require.NoError(t, err)
		return refused.Reason
	}
	require.Empty(t, pay(store.Payment{Cost: 90, Interactive: true, Told: told(0, 100, 100)}))
	require.Equal(t, "quota_exhausted", pay(store.Payment{Cost: 20, Interactive: true}))
	_, err := pool.Exec(t.Context(), `UPDATE rate_budgets SET pending_at = pending_at - interval '2 minutes', daily_told_at = daily_told_at - interval '2 minutes'`)
	require.NoError(t, err)
	require.Empty(t, pay(store.Payment{Cost: 20, Interactive: true, Told: told(0, 0, 100)}))
	require.Empty(t, pay(store.Payment{Cost: 80, Interactive: true}))
}

// A provider that tells no limit has at least what it once said was left.
func TestTheReserveOfAnUntoldLimit(t *testing.T) {
	t.Parallel()

	s := store.New(storetest.Pool(t))
	key := store.BudgetKey{Provider: "crm", Account: "acme"}
	for _, left := range []int64{500, 99} {
		refused, _, err := s.Pay(t.Context(), key, store.Payment{Cost: 1, Told: told(0, 0, left), ResetsIn: time.Hour})
		require.NoError(t, err)
		require.Equal(t, map[int64]string{500: "", 99: "reserve"}[left], refused.Reason)
	}
}
