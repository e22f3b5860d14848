package sandbox

import "errors"

// steering is what a test does with the fake of any provider: break it, script
// its answers, and read what reached it. It is safe for concurrent use.
type steering struct {
	site   *site
	outbox *outbox
}

// Faults replaces what is to go wrong; calls are counted from now.
func (s steering) Faults(faults ...Fault) error { return s.site.setFaults(faults) }

// Script appends answers for calls whose path begins with path; each is given
// once, in order, before faults and the provider itself are asked.
func (s steering) Script(path string, answers ...Answer) { s.site.addScript(path, answers) }

// AnswersLeft counts the scripted answers that no call has taken yet.
func (s steering) AnswersLeft() int { return s.site.answersLeft() }

// Requests is the log of received calls, oldest first: the last few thousand.
// Their paths begin where the provider's do: /oauth/v2/token, /crm/v8/Contacts.
func (s steering) Requests() []Request { return s.site.requests() }

// Calls counts the calls received so far by path, with {id} for a record's.
func (s steering) Calls() map[string]int { return s.site.snapshot().CallsByPath }

// Refreshes counts the refresh requests that reached the provider, refused ones
// included.
func (s steering) Refreshes() int { return s.site.snapshot().Refreshes }

// RateLimited counts the calls that were refused for being too many.
func (s steering) RateLimited() int { return s.site.snapshot().RateLimited }

// InFlight counts the calls that the provider is answering now.
func (s steering) InFlight() int { return s.site.snapshot().InFlight }

// WebhookCounts counts the deliveries so far.
func (s steering) WebhookCounts() WebhookCounts { return s.site.snapshot().WebhookCounts }

// Replay delivers the last deliveries so many times more, up to 100, signed anew
// where the provider signs and whatever became of their subscriptions, and
// returns how many it queued. At most the last 20,000 are known.
func (s steering) Replay(times int, shuffle bool) (int, error) {
	return s.outbox.replay(times, shuffle)
}

// ResetCounters forgets calls and log; settings and records stay.
func (s steering) ResetCounters() { s.site.resetCounters() }

// steps is what a PATCH of any provider takes beside its settings: things that
// are done once.
type steps struct {
	Contacts     *int              `json:"contacts"`
	Budget       *int              `json:"budget"`
	Faults       *[]Fault          `json:"faults"`
	Answers      *[]scriptedAnswer `json:"answers"`
	ClientSecret *string           `json:"client_secret"`
	// AdvanceSeconds moves the provider's clock.
	AdvanceSeconds *int64 `json:"advance_seconds"`
}

// refuse says what is wrong with the steps before any of them is done.
func (s steps) refuse(t *site) error {
	if s.Contacts != nil && *s.Contacts < 0 {
		return errors.New("contacts must not be negative")
	}
	if s.Budget != nil && *s.Budget < Unlimited {
		return errors.New("budget must be -1 (no limit) or more")
	}
	if s.Answers != nil {
		if err := checkAnswers(*s.Answers); err != nil {
			return err
		}
	}
	if s.Faults != nil {
		return t.checkFaults(*s.Faults)
	}
	return nil
}
