package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// burstWindow is the rolling window of the burst limit.
const burstWindow = 2 * time.Second

// budget is the daily number of tokens that a company may spend, shared by all
// its apps. It is renewed at midnight; of which zone is undocumented, here UTC.
type budget struct {
	limit int // Unlimited for none
	day   int64
	spent map[int]int // by company
}

// Unlimited as a budget switches the daily limit and its headers off.
const Unlimited = -1

// burst holds when an access token's last requests came, oldest first.
type burst struct{ at []time.Time }

// limit charges a call to the token's window and the company's day, and sets the
// headers that say what is left. It returns the refusal if one of them is spent;
// a refused call costs nothing.
func (p *Pipedrive) limit(header http.Header, token string, c *company, cost int) *refusal {
	p.mu.Lock()
	defer p.mu.Unlock()

	if c == nil {
		return nil
	}
	now := p.sandbox.Now()
	if !p.takeBurst(header, token, now) || !p.takeBudget(header, c.id, cost, now) {
		return &tooMany
	}
	return nil
}

// bans reports whether a company is shut out, from the call on that was over a
// limit.
func (p *Pipedrive) bans(c *company, over bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c == nil || !p.settings.Bans {
		clear(p.banned)
		return false
	}
	if over {
		p.banned[c.id] = true
	}
	return p.banned[c.id]
}

func (p *Pipedrive) takeBurst(header http.Header, token string, now time.Time) bool {
	allowed := p.settings.Burst
	if allowed == 0 {
		return true
	}
	b := p.bursts[token]
	if b == nil {
		p.forgetIdleBursts(now)
		b = &burst{}
		p.bursts[token] = b
	}
	for len(b.at) > 0 && now.Sub(b.at[0]) >= burstWindow {
		b.at = b.at[1:]
	}
	granted := len(b.at) < allowed
	if granted {
		b.at = append(b.at, now)
	}
	reset := burstWindow - now.Sub(b.at[0])
	header.Set("x-ratelimit-limit", strconv.Itoa(allowed))
	header.Set("x-ratelimit-remaining", strconv.Itoa(max(0, allowed-len(b.at))))
	header.Set("x-ratelimit-reset", strconv.Itoa(max(1, int((reset+time.Second-1)/time.Second))))
	return granted
}

// forgetIdleBursts keeps the windows from growing with every refreshed token.
func (p *Pipedrive) forgetIdleBursts(now time.Time) {
	for token, b := range p.bursts {
		if len(b.at) == 0 || now.Sub(b.at[len(b.at)-1]) >= burstWindow {
			delete(p.bursts, token)
		}
	}
}

func (p *Pipedrive) takeBudget(header http.Header, company, cost int, now time.Time) bool {
	b := &p.budget
	if b.limit == Unlimited {
		return true
	}
	if day := now.Unix() / 86400; day != b.day {
		b.day = day
		clear(b.spent)
	}
	granted := b.spent[company]+cost <= b.limit
	left := b.limit - b.spent[company] - cost
	if granted {
		b.spent[company] += cost
	} else {
		left = 0
	}
	header.Set("x-daily-ratelimit-token-limit", strconv.Itoa(b.limit))
	header.Set("x-daily-ratelimit-token-remaining", strconv.Itoa(left))
	return granted
}

// setBudget gives every company n tokens from now until midnight, and n a day
// from then on.
func (p *Pipedrive) setBudget(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = budget{limit: n, day: p.sandbox.Now().Unix() / 86400, spent: map[int]int{}}
}

// budgetLeft is what the company may still spend today.
func (p *Pipedrive) budgetLeft(company int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.budget.limit == Unlimited:
		return Unlimited
	case p.sandbox.Now().Unix()/86400 != p.budget.day:
		return p.budget.limit
	}
	return p.budget.limit - p.budget.spent[company]
}
