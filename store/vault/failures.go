package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers"
)

// failures remembers, for a moment, what a token host has answered to this process, so that callers who come just after
// one another don't ask it one after the other. Other processes ask for themselves, one at a time.
type failures struct {
	mu   sync.Mutex
	last map[uuid.UUID]failure
}

type failure struct {
	generation int64
	err        error
	until      time.Time
}

// note remembers a failure for the span; a limit, until the host wants to be asked again.
func (f *failures) note(integration uuid.UUID, generation int64, err error, span time.Duration) {
	e, ok := errors.AsType[*providers.Error](err)
	if !ok || e.Kind == providers.NeedsReauth || errors.Is(err, context.Canceled) {
		return // the row says it, or it is the caller's own end
	}
	now := time.Now()
	until := now.Add(span)
	if e.Kind == providers.RateLimited && e.RetryAt.After(until) {
		until = e.RetryAt // asking earlier would prolong it
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, old := range f.last {
		if old.until.Before(now) {
			delete(f.last, id)
		}
	}
	f.last[integration] = failure{generation, err, until}
}

// of is the failure of a generation that is still remembered, or nil.
func (f *failures) of(integration uuid.UUID, generation int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, ok := f.last[integration]
	if !ok || last.generation != generation || time.Now().After(last.until) {
		return nil
	}
	return last.err
}
