package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// The names of HubSpot's limits, as 429 bodies call them.
const (
	policyTenSecondly = "TEN_SECONDLY_ROLLING"
	policySecondly    = "SECONDLY"
	policyDaily       = "DAILY"
)

// The windows of the rolling limits.
const (
	hubspotWindow = 10 * time.Second
	searchWindow  = time.Second
)

// limitCalls charges a call to the portal's window and day, and sets the headers
// that say what is left. It returns the refusal if one of them is spent; a
// refused call costs nothing.
func (h *HubSpot) limitCalls(header http.Header, p *portal) *refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	if allowed := h.settings.Burst; allowed > 0 {
		left, granted := h.take(strconv.Itoa(p.id)+" calls", allowed, hubspotWindow)
		header.Set("X-HubSpot-RateLimit-Max", strconv.Itoa(allowed))
		header.Set("X-HubSpot-RateLimit-Remaining", strconv.Itoa(left))
		header.Set("X-HubSpot-RateLimit-Interval-Milliseconds", strconv.FormatInt(hubspotWindow.Milliseconds(), 10))
		if !granted {
			return h.overLimit(header, policyTenSecondly)
		}
	}
	return h.takeDay(header, p)
}

// limitSearch charges a search to the portal's second. Its answers carry no
// headers about limits.
func (h *HubSpot) limitSearch(header http.Header, p *portal) *refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	if allowed := h.settings.SearchBurst; allowed > 0 {
		if _, granted := h.take(strconv.Itoa(p.id)+" search", allowed, searchWindow); !granted {
			return h.overLimit(header, policySecondly)
		}
	}
	return h.takeDay(http.Header{}, p)
}

func (h *HubSpot) overLimit(header http.Header, policy string) *refusal {
	if seconds := h.settings.RetryAfter; seconds > 0 {
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	refused := overLimit(policy, h.settings.HidePolicyName)
	return &refused
}

// take charges a call to a rolling window and says how many it has left.
func (h *HubSpot) take(name string, allowed int, window time.Duration) (left int, granted bool) {
	b := h.windows[name]
	if b == nil {
		b = &burst{}
		h.windows[name] = b
	}
	now := h.sandbox.Now()
	for len(b.at) > 0 && now.Sub(b.at[0]) >= window {
		b.at = b.at[1:]
	}
	granted = len(b.at) < allowed
	if granted {
		b.at = append(b.at, now)
	}
	return max(0, allowed-len(b.at)), granted
}

// takeDay charges a call to the portal's day, which ends at midnight of its time
// zone.
func (h *HubSpot) takeDay(header http.Header, p *portal) *refusal {
	b := &h.budget
	if b.limit == Unlimited {
		return nil
	}
	left := b.limit - h.spentToday(p)
	if left > 0 {
		b.spent[p.id]++
		left--
	} else {
		return h.overLimit(header, policyDaily)
	}
	header.Set("X-HubSpot-RateLimit-Daily", strconv.Itoa(b.limit))
	header.Set("X-HubSpot-RateLimit-Daily-Remaining", strconv.Itoa(left))
	return nil
}

// spentToday forgets what was spent on another day than the portal's today.
func (h *HubSpot) spentToday(p *portal) int {
	year, month, day := h.sandbox.Now().In(p.zone).Date()
	today := int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	if p.day != today {
		p.day = today
		delete(h.budget.spent, p.id)
	}
	return h.budget.spent[p.id]
}

// SetBudget gives every portal n requests until its midnight and n a day from
// then on; Unlimited switches the daily limit off, which is how OAuth apps live.
func (h *HubSpot) SetBudget(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget = budget{limit: max(n, Unlimited), spent: map[int]int{}}
}

// budgetLeft is what the portal may still spend today.
func (h *HubSpot) budgetLeft(p *portal) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.budget.limit == Unlimited {
		return Unlimited
	}
	return h.budget.limit - h.spentToday(p)
}
