package worker

import (
	"context"
	"math"
	"sync"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// payments is the store's side of a quota.
type payments interface {
	Pay(ctx context.Context, key store.BudgetKey, p store.Payment) (refused store.Wait, inWindow int64, err error)
}

// quota pays for calls from an account's budgets before they are made, and tells them what answers say. The budgets are
// rows: whoever else asks the account, in whatever process, pays from the same. Safe for concurrent use.
type quota struct {
	store       payments
	key         store.BudgetKey
	limits      providers.Limits
	interactive bool // it may use what is reserved for people
	now         func() time.Time

	mu        sync.Mutex
	usage     providers.Usage // the newest of each member, and what was spent in all
	told      providers.Usage // what the budgets have yet to be told
	paid      int64           // for calls without an answer yet
	settled   int64           // for calls with one, which the budgets have yet to be told
	remaining int64           // of the burst, as reported at reportedAt
	reported  time.Time       // zero: it wasn't
	inWindow  int64           // calls that we, whichever worker, have made in the window of the last payment
	asked     time.Time       // when the budgets were asked last
	answered  bool            // the provider has served us in this slice
}

// newQuota is for one slice. A budget is what is known of the account.
func newQuota(st payments, key store.BudgetKey, limits providers.Limits, b store.Budget, now func() time.Time) *quota {
	return &quota{
		store: st, key: key, limits: limits, now: now,
		usage: providers.Usage{BurstLimit: b.BurstLimit, BurstWindow: b.BurstWindow},
	}
}

// defaultWindow is over what our pace holds until a limit was reported.
const defaultWindow = 2 * time.Second

// looseLook is how often a call asks for a budget that doesn't bind it: for a block alone.
const looseLook = time.Second

// Pay implements [providers.Payer]. It waits for its place in the window. Any other wait is a [*waitError], or an
// [*providers.Error] for a budget that is spent.
func (q *quota) Pay(ctx context.Context, price int64) error {
	for {
		if d := q.othersUse(time.Now()); d > 0 {
			if err := sleep(ctx, d); err != nil {
				return err
			}
			continue
		}
		p, due := q.payment(max(price, 1))
		if !due {
			return nil
		}
		refused, inWindow, err := q.store.Pay(ctx, q.key, p)
		if err != nil {
			q.restore(p)
			return err
		}
		switch refused.Reason {
		case "":
			q.mu.Lock()
			q.paid, q.inWindow = q.paid+p.Cost, inWindow+1
			q.mu.Unlock()
			return nil
		case store.RefusedPace:
			if err := sleep(ctx, max(refused.For, time.Millisecond)); err != nil {
				return err
			}
		case store.RefusedQuota:
			return &providers.Error{Kind: providers.QuotaExhausted, Op: q.key.Provider + ": pay for a call", RetryAt: time.Now().Add(refused.For), Detail: "the account's budget is spent"}
		default: // the reserve, or what the account is blocked for
			return &waitError{store.Wait{For: refused.For + spread(wakeSpread), Reason: refused.Reason}}
		}
	}
}

// wakeSpread is over what those who wait for the same moment come.
const wakeSpread = time.Second

// payment is the next one, with what the budgets have yet to be told; due is false where nothing binds the call.
func (q *quota) payment(cost int64) (p store.Payment, due bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.loose() && q.told.DailyRemaining == nil && time.Since(q.asked) < looseLook {
		return p, false
	}
	q.asked = time.Now()
	p = q.report()
	p.Cost, p.Interactive = cost, q.interactive
	if rps := q.limits.RequestsPerSecond; rps > 0 {
		p.Calls, p.Window = max(int64(math.Floor(rps*defaultWindow.Seconds())), 1), defaultWindow
	}
	return p, true
}

// loose says that no window and no day's budget is known that calls could exceed.
func (q *quota) loose() bool {
	if q.usage.DailyRemaining != nil {
		return false
	}
	if q.usage.BurstLimit == nil {
		return q.limits.RequestsPerSecond == 0
	}
	return store.QuotaShare*float64(*q.usage.BurstLimit) > store.MostTracked
}

// report takes what the budgets have yet to be told. The caller holds mu.
func (q *quota) report() store.Payment {
	p := store.Payment{Settled: q.settled, Told: q.told, ResetsIn: q.untilReset()}
	q.settled, q.told = 0, providers.Usage{}
	return p
}

// restore takes back what could not be told.
func (q *quota) restore(p store.Payment) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settled += p.Settled
	p.Told.Take(q.told)
	q.told = p.Told
}

// othersUse is how long to wait because the provider said that others have used up what we leave them.
func (q *quota) othersUse(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	limit, window := q.usage.BurstLimit, q.usage.BurstWindow
	if limit == nil || q.reported.IsZero() || now.Sub(q.reported) >= window {
		return 0
	}
	most := max(int64(store.QuotaShare*float64(*limit)), 1)
	if q.remaining > *limit-most || q.inWindow >= most { // or it was we, who wait for our place anyway
		return 0
	}
	return window - now.Sub(q.reported)
}

// learn takes over what an answer said of limits, and what it cost. A refusal tells of both, too; served says that it
// was none.
func (q *quota) learn(u providers.Usage, served bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.answered = q.answered || served
	q.settled, q.paid = q.settled+q.paid, 0
	if u.BurstRemaining != nil {
		q.remaining, q.reported = *u.BurstRemaining, time.Now()
	}
	q.usage.Take(u)
	q.told.Take(u)
	q.usage.Spent += u.Spent
}

// spent is what the slice's calls have cost so far.
func (q *quota) spent() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.usage.Spent
}

// rest is what the budgets have yet to be told at the end of the slice, calls that got no answer included.
func (q *quota) rest() store.Payment {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settled, q.paid = q.settled+q.paid, 0
	return q.report()
}

// untilReset is how long the day's budget takes to come back, by the provider's rule.
func (q *quota) untilReset() time.Duration { return q.limits.UntilQuotaReset(q.now()) }

// hasAnswered reports whether the provider has served us in this slice.
func (q *quota) hasAnswered() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.answered
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
