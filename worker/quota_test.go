package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// purse grants every payment and notes them.
type purse struct{ paid []store.Payment }

func (p *purse) Pay(_ context.Context, _ store.BudgetKey, payment store.Payment) (store.Wait, int64, error) {
	p.paid = append(p.paid, payment)
	return store.Wait{}, 0, nil
}

func limited(p *purse, limit int64, limits providers.Limits) *quota {
	return newQuota(p, store.BudgetKey{Provider: "crm", Account: "acme"}, limits, store.Budget{BurstLimit: &limit, BurstWindow: 2 * time.Second}, time.Now)
}

func TestQuotaBelievesTheProvider(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		remaining int64
		waits     bool
	}{
		"much is left":                            {79, false},
		"somebody else has used it up":            {10, true},
		"exactly the rest is left for the others": {16, true},
		"one more than the rest is left":          {17, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			q, limit := limited(new(purse), 80, providers.Limits{}), int64(80)
			q.learn(providers.Usage{BurstLimit: &limit, BurstWindow: 2 * time.Second, BurstRemaining: &c.remaining}, true)
			require.Equal(t, c.waits, q.othersUse(time.Now()) > 0)
			require.Zero(t, q.othersUse(time.Now().Add(2*time.Second)), "the report is of a window that is over")
		})
	}
}

// What answers have told goes to the budgets with the next payment, once.
func TestQuotaTellsWhatAnswersSaid(t *testing.T) {
	t.Parallel()

	p := new(purse)
	q := limited(p, 80, providers.Limits{})
	pay := func(price int64) {
		t.Helper()
		require.NoError(t, q.Pay(t.Context(), price))
	}
	pay(10)
	left, limit := int64(500), int64(1000)
	q.learn(providers.Usage{Spent: 10, DailyRemaining: &left, DailyLimit: &limit}, true)
	pay(0)
	pay(3) // of one operation
	q.learn(providers.Usage{Spent: 3}, false)
	pay(10)
	require.Equal(t, []int64{10, 1, 3, 10}, []int64{p.paid[0].Cost, p.paid[1].Cost, p.paid[2].Cost, p.paid[3].Cost}, "a call without a price is one")
	require.Equal(t, []int64{0, 10, 0, 4}, []int64{p.paid[0].Settled, p.paid[1].Settled, p.paid[2].Settled, p.paid[3].Settled})
	require.Equal(t, &left, p.paid[1].Told.DailyRemaining)
	require.Nil(t, p.paid[2].Told.DailyRemaining)
	require.EqualValues(t, 13, q.spent())
	rest := q.rest()
	require.EqualValues(t, 10, rest.Settled, "a call without an answer has cost as much")
}

// A limit that nobody reaches costs no question.
func TestQuotaAsksOnlyWhatBinds(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		limit  int64
		limits providers.Limits
		asked  int
	}{
		"a reported limit":         {80, providers.Limits{}, 10},
		"one that nobody reaches":  {1_000_000, providers.Limits{}, 1},
		"none, and no rule either": {0, providers.Limits{}, 1},
		"none, and a rule":         {0, providers.Limits{RequestsPerSecond: 8}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p := new(purse)
			q := limited(p, c.limit, c.limits)
			if c.limit == 0 {
				q.usage.BurstLimit = nil
			}
			for range 10 {
				require.NoError(t, q.Pay(t.Context(), 1))
			}
			require.Len(t, p.paid, c.asked)
			require.Equal(t, int64(2*c.limits.RequestsPerSecond), p.paid[0].Calls)
		})
	}
}
