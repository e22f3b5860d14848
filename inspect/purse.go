package inspect

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// paceWindow is over what our pace holds until a limit was reported.
const paceWindow = 2 * time.Second

// purse pays for calls before they are made, from the account's budgets that all workers share, and tells them what answers
// say. A person waits, so that it may use the reserve. For one goroutine.
type purse struct {
	store  *store.Store
	key    store.BudgetKey
	limits providers.Limits

	used     bool // a call was paid
	answered bool
	usage    providers.Usage // the newest of each member, and what was spent in all
	told     providers.Usage // what the budgets have yet to be told
	paid     int64           // for calls without an answer yet
	settled  int64           // for calls with one, which the budgets have yet to be told
	noted    int64           // of what was spent
}

func newPurse(s *store.Store, p *providers.Provider, account string) *purse {
	return &purse{store: s, key: store.BudgetOf(p, account), limits: p.Limits}
}

// Pay implements [providers.Payer]. It waits for its place in the window, and is refused for what takes longer: by an error
// of kind rate_limited or quota_exhausted.
func (p *purse) Pay(ctx context.Context, price int64) error {
	for {
		payment := p.report()
		payment.Cost, payment.Interactive = max(price, 1), true
		if rps := p.limits.RequestsPerSecond; rps > 0 {
			payment.Calls, payment.Window = max(int64(rps*paceWindow.Seconds()), 1), paceWindow
		}
		refused, _, err := p.store.Pay(ctx, p.key, payment)
		if err != nil {
			return err
		}
		p.told, p.settled = providers.Usage{}, 0
		switch refused.Reason {
		case "":
			p.used, p.paid = true, p.paid+payment.Cost
			return nil
		case store.RefusedPace:
			if err := sleep(ctx, max(refused.For, time.Millisecond)); err != nil {
				return err
			}
			continue
		}
		e := &providers.Error{Kind: providers.RateLimited, Op: p.key.Provider + ": pay for a call", RetryAt: time.Now().Add(refused.For)}
		switch refused.Reason {
		case store.RefusedQuota, store.RefusedReserve:
			e.Kind = providers.QuotaExhausted
		case words.WaitProviderDown:
			e.Kind = providers.Transient
		}
		return e
	}
}

func (p *purse) report() store.Payment {
	return store.Payment{Settled: p.settled, Told: p.told, ResetsIn: p.limits.UntilQuotaReset(time.Now())}
}

// learn takes over what an answer told.
func (p *purse) learn(u providers.Usage, answered bool) {
	p.answered = p.answered || answered
	p.usage.Take(u)
	p.told.Take(u)
	p.usage.Spent += u.Spent
	p.settled, p.paid = p.settled+p.paid, 0
}

// note tells the budgets what no payment has told them, and what was spent.
func (p *purse) note(ctx context.Context, tx pgx.Tx) error {
	spent := p.usage.Spent - p.noted
	if err := p.store.NoteUsage(ctx, tx, p.key, p.report(), spent, false); err != nil {
		return err
	}
	p.told, p.settled, p.noted = providers.Usage{}, 0, p.usage.Spent
	return nil
}

// sleep waits, unless the caller leaves.
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
