package worker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

const (
	// share is the part of a reported limit that we use: the account belongs to the tenant's other tools as well.
	share = 0.8
	// reserve is the part of a daily budget that scheduled work leaves to people and to the tenant's other tools.
	reserve = 0.2
)

// pace holds the calls of a slice within an account's limits: at most share of what the provider reported for its rolling
// window. As long as the provider itself says that more than the rest is left, nothing waits. One run of an account is
// active at a time, so the pace need not be shared. Safe for concurrent use.
type pace struct {
	unknown *rate.Limiter // until a limit was reported

	mu        sync.Mutex
	usage     providers.Usage // the newest of each member, and what was spent in all
	remaining int64           // as reported at remainingAt
	reported  time.Time       // when remaining was; zero: not, or too long ago
	sent      []time.Time     // within the window, oldest first
	answered  bool            // the provider has served us in this slice
}

func newPace(limits providers.Limits, b store.Budget) *pace {
	p := &pace{unknown: rate.NewLimiter(rate.Inf, 1)}
	if limits.RequestsPerSecond > 0 {
		p.unknown.SetLimit(rate.Limit(limits.RequestsPerSecond))
	}
	p.usage = providers.Usage{BurstLimit: b.BurstLimit, BurstWindow: b.BurstWindow, DailyLimit: b.DailyLimit}
	return p
}

// wait returns when the next call may go.
func (p *pace) wait(ctx context.Context) error {
	for {
		d, known := p.next(time.Now())
		if !known {
			return p.unknown.Wait(ctx)
		}
		if d <= 0 {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
		}
	}
}

// next is how long the next call has to wait; if it may go, it counts as sent. known is false without a reported limit.
func (p *pace) next(now time.Time) (d time.Duration, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.usage.BurstLimit == nil || *p.usage.BurstLimit <= 0 || p.usage.BurstWindow <= 0 {
		return 0, false
	}
	window, most := p.usage.BurstWindow, max(int64(share*float64(*p.usage.BurstLimit)), 1)
	for len(p.sent) > 0 && now.Sub(p.sent[0]) >= window {
		p.sent = p.sent[1:]
	}
	fresh := !p.reported.IsZero() && now.Sub(p.reported) < window
	switch {
	case fresh && p.remaining > *p.usage.BurstLimit-most: // the provider knows best
	case fresh && int64(len(p.sent)) < most: // somebody else has used it up
		return window - now.Sub(p.reported), true
	case int64(len(p.sent)) >= most:
		return window - now.Sub(p.sent[0]), true
	}
	p.sent = append(p.sent, now)
	return 0, true
}

// learn takes over what an answer said of limits, and what it cost. A refusal tells of both, too; served says that it
// was none.
func (p *pace) learn(u providers.Usage, served bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = p.answered || served
	if u.BurstLimit != nil {
		p.usage.BurstLimit, p.usage.BurstWindow = u.BurstLimit, u.BurstWindow
	}
	if u.BurstRemaining != nil {
		p.remaining, p.reported = *u.BurstRemaining, time.Now()
	}
	if u.DailyLimit != nil {
		p.usage.DailyLimit = u.DailyLimit
	}
	if u.DailyRemaining != nil {
		p.usage.DailyRemaining = u.DailyRemaining
	}
	p.usage.Spent += u.Spent
}

// seen is what the slice has learned.
func (p *pace) seen() providers.Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.usage
}

// belowReserve reports whether the day's budget is down to the reserve.
func (p *pace) belowReserve() bool {
	u := p.seen()
	return u.DailyLimit != nil && u.DailyRemaining != nil && float64(*u.DailyRemaining) < reserve*float64(*u.DailyLimit)
}

// hasAnswered reports whether the provider has answered in this slice.
func (p *pace) hasAnswered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered
}
