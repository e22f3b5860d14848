package sandbox

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// creditsHeader tells what is left, once half of it is spent. [doc: API Limits]
	creditsHeader = "X-API-CREDITS-REMAINING" //nolint:gosec // a header's name, no secret
	creditsWindow = 24 * time.Hour
	// defaultCredits is the Standard edition's maximum. [doc: API Limits]
	defaultCredits = 100_000
)

// credits is what the orgs may spend in a rolling day, and what they spent.
type credits struct {
	limit  int // Unlimited for none
	byOrg  map[int]*spending
	byPath map[string]int
}

// spending is what an org spent, by the minute, oldest first.
type spending struct {
	used    int
	minutes []spentMinute
}

type spentMinute struct {
	minute int64
	cost   int
}

// at forgets what left the window.
func (s *spending) at(now time.Time) *spending {
	oldest := now.Add(-creditsWindow).Unix() / 60
	for len(s.minutes) > 0 && s.minutes[0].minute <= oldest {
		s.used -= s.minutes[0].cost
		s.minutes = s.minutes[1:]
	}
	return s
}

func (s *spending) add(now time.Time, cost int) {
	s.used += cost
	minute := now.Unix() / 60
	if last := len(s.minutes) - 1; last >= 0 && s.minutes[last].minute >= minute { // a clock may go back
		s.minutes[last].cost += cost
		return
	}
	s.minutes = append(s.minutes, spentMinute{minute, cost})
}

func (z *Zoho) spendingOf(o *zohoOrg) *spending {
	s := z.credits.byOrg[o.zgid]
	if s == nil {
		s = &spending{}
		z.credits.byOrg[o.zgid] = s
	}
	return s.at(z.sandbox.Now())
}

// spend charges a call to its org and shows what is left. It is false if nothing
// was left before; the call that takes the last credits may overdraw them. [?]
func (z *Zoho) spend(header http.Header, o *zohoOrg, path string, cost int) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	s := z.spendingOf(o)
	granted := z.credits.limit == Unlimited || s.used < z.credits.limit
	if granted {
		s.add(z.sandbox.Now(), cost)
		z.credits.byPath[path] += cost
	}
	z.creditsLeft(header, s)
	return granted
}

// showCredits sets the header for a call that is not charged.
func (z *Zoho) showCredits(header http.Header, o *zohoOrg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.creditsLeft(header, z.spendingOf(o))
}

func (z *Zoho) creditsLeft(header http.Header, s *spending) {
	if z.credits.limit != Unlimited && 2*s.used >= z.credits.limit {
		header.Set(creditsHeader, strconv.Itoa(z.credits.limit-s.used))
	}
}

// isHeavy says whether calls of a route have a limit of their own besides.
func isHeavy(route string) bool {
	return route == "/crm/v8/coql" || strings.HasPrefix(route, "/crm/bulk/")
}

// occupy takes one of the org's places for calls in flight, if there is one, and
// one of those for heavy calls too if the call is heavy.
func (z *Zoho) occupy(o *zohoOrg, heavy bool, settings ZohoSettings) (leave func(), ok bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	full := settings.Concurrency > 0 && o.inFlight >= settings.Concurrency
	if full || heavy && settings.HeavyConcurrency > 0 && o.heavyInFlight >= settings.HeavyConcurrency {
		return nil, false
	}
	weight := 0
	if heavy {
		weight = 1
	}
	o.inFlight++
	o.heavyInFlight += weight
	o.inFlightMax = max(o.inFlightMax, o.inFlight)
	return func() {
		z.mu.Lock()
		defer z.mu.Unlock()
		o.inFlight--
		o.heavyInFlight -= weight
	}, true
}

// SetBudget gives every org n credits for any 24 hours and forgets what was
// spent; Unlimited switches the limit and its header off.
func (z *Zoho) SetBudget(n int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.credits.limit = max(n, Unlimited)
	clear(z.credits.byOrg)
}

// creditsOf is what an org spent of its credits in the last 24 hours.
func (z *Zoho) creditsOf(o *zohoOrg) (used, limit int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.spendingOf(o).used, z.credits.limit
}

// creditsByPath is what calls of each path cost since the last reset.
func (z *Zoho) creditsByPath() map[string]int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return maps.Clone(z.credits.byPath)
}
