package sandbox

import (
	"slices"
	"time"
)

// Subscription is a webhook subscription with what the provider makes of its
// receiver.
type Subscription struct {
	ID          int    `json:"id"`
	CompanyID   int    `json:"company_id"`
	UserID      int    `json:"user_id"`
	EventAction string `json:"event_action"`
	EventObject string `json:"event_object"`
	URL         string `json:"subscription_url"`
	Version     string `json:"version"`
	// Failures counts first attempts that failed since one succeeded.
	Failures     int        `json:"failed_first_attempts"`
	BannedUntil  *time.Time `json:"banned_until"`
	FailingSince *time.Time `json:"failing_since"`
	LastDelivery *string    `json:"last_delivery_time"`
	LastStatus   *int       `json:"last_http_status"`
}

// receiver is what the provider remembers of a subscription's receiver, by the
// provider's clock.
type receiver struct {
	failures     int // of first attempts, in a row
	bannedUntil  time.Time
	failingSince time.Time // the first failure after the last success
}

// Subscriptions lists the subscriptions of all companies.
func (p *Pipedrive) Subscriptions() []Subscription {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.sandbox.Now()
	p.dropFailing(now)
	list := make([]Subscription, 0, len(p.hooks.byID))
	for _, h := range p.hooks.byID {
		s := Subscription{
			ID: h.ID, CompanyID: h.CompanyID, UserID: h.UserID, EventAction: h.EventAction, EventObject: h.EventObject,
			URL: h.SubscriptionURL, Version: h.Version, Failures: h.receiver.failures,
			LastDelivery: h.LastDelivery, LastStatus: h.LastStatus,
		}
		if until := h.receiver.bannedUntil; now.Before(until) {
			s.BannedUntil = &until
		}
		if since := h.receiver.failingSince; !since.IsZero() {
			s.FailingSince = &since
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Subscription) int { return a.ID - b.ID })
	return list
}

// dropFailing deletes the subscriptions whose receivers took nothing for too
// long. p.mu is held.
func (p *Pipedrive) dropFailing(now time.Time) {
	for id, h := range p.hooks.byID {
		if since := h.receiver.failingSince; !since.IsZero() && now.Sub(since) >= failingLife {
			delete(p.hooks.byID, id)
		}
	}
}

// mayDeliver says whether a subscription still stands and is not banned.
func (p *Pipedrive) mayDeliver(id int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.sandbox.Now()
	p.dropFailing(now)
	h, ok := p.hooks.byID[id]
	return ok && !now.Before(h.receiver.bannedUntil)
}

// judge notes how an attempt of a delivery ended; status 0 is no answer.
func (p *Pipedrive) judge(id, attempt, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.hooks.byID[id]
	if !ok {
		return
	}
	now := p.sandbox.Now()
	at := now.Format(timeForm)
	h.LastDelivery, h.LastStatus = &at, nil
	if status != 0 {
		h.LastStatus = &status
	}
	r := &h.receiver
	if status >= 200 && status <= 299 {
		r.failingSince = time.Time{}
		if attempt == 1 {
			r.failures = 0
		}
		return
	}
	if r.failingSince.IsZero() {
		r.failingSince = now
	}
	if attempt > 1 || now.Before(r.bannedUntil) {
		return
	}
	r.failures++
	if r.failures == failuresToBan {
		r.failures, r.bannedUntil = 0, now.Add(banLife)
	}
}
