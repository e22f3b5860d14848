package worker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// share is the part of a reported limit that we use: the account belongs to the tenant's other tools as well.
const share = 0.8

// pace spaces the calls of a slice. One run of an account is active at a time, so it need not be shared.
type pace struct {
	limiter *rate.Limiter

	mu       sync.Mutex
	usage    providers.Usage // the newest of each member
	answered bool            // the provider has answered in this slice
}

func newPace(limits providers.Limits, b store.Budget) *pace {
	p := &pace{limiter: rate.NewLimiter(rate.Inf, 1)}
	if limits.RequestsPerSecond > 0 {
		p.limiter.SetLimit(rate.Limit(limits.RequestsPerSecond))
	}
	p.learn(providers.Usage{BurstLimit: b.BurstLimit, BurstWindow: b.BurstWindow, DailyLimit: b.DailyLimit})
	p.answered = false
	return p
}

func (p *pace) wait(ctx context.Context) error { return p.limiter.Wait(ctx) }

// learn takes over what an answer said of limits.
func (p *pace) learn(u providers.Usage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true
	if u.BurstLimit != nil && *u.BurstLimit > 0 && u.BurstWindow > 0 {
		p.usage.BurstLimit, p.usage.BurstWindow = u.BurstLimit, u.BurstWindow
		p.limiter.SetLimit(rate.Limit(share * float64(*u.BurstLimit) * float64(time.Second) / float64(u.BurstWindow)))
	}
	if u.DailyLimit != nil {
		p.usage.DailyLimit = u.DailyLimit
	}
	if u.DailyRemaining != nil {
		p.usage.DailyRemaining = u.DailyRemaining
	}
}

// seen is what the slice has learned.
func (p *pace) seen() providers.Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.usage
}

// reserve is the part of a daily budget that scheduled work leaves to people and to the tenant's other tools.
const reserve = 0.2

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
