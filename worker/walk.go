package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
)

// fetched is a page that has come, or the error instead.
type fetched struct {
	page   providers.Page
	read   rules.Read
	cursor providers.Cursor // with which it was asked for
	err    error
}

// walk reads pages to the end of the list or of the window. While a page is written the next is fetched, one ahead.
func (s *slice) walk(ctx context.Context) error {
	cp := &s.claim.Checkpoint
	if err := s.beginWalk(ctx); err != nil {
		return err
	}
	next := s.fetch(ctx, cp.Cursor)
	for {
		var got fetched
		select {
		case got = <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if got.err != nil {
			return s.walkError(ctx, got)
		}
		end, err := s.take(got)
		if err != nil {
			return err
		}
		last, err := s.over(ctx)
		if err != nil {
			return err
		}
		parked := s.reserveReached()
		if !end && !last && !parked { // a page that the slice won't store is not asked for
			next = s.fetch(ctx, got.page.Next)
		}
		if err := s.commit(ctx, got, end); err != nil {
			return err
		}
		switch {
		case end:
			return nil
		case parked:
			return &waitError{store.Wait{For: s.untilQuotaReset() + spread(time.Minute), Reason: words.WaitReserve}}
		case last:
			return errYield
		}
	}
}

// beginWalk fixes what the run covers, when it has not begun, and checks that a sweep still knows what it has seen.
func (s *slice) beginWalk(ctx context.Context) error {
	cp := &s.claim.Checkpoint
	if cp.Page > 0 && cp.Sweep {
		kept, err := s.engine.Store.PagesKept(ctx, s.claim.RunID)
		if err != nil || kept == cp.Page {
			return err
		}
		return s.restart(ctx, false) // retried long after it ended: absences can't be told any more
	}
	if cp.Page > 0 || cp.Sweep || !cp.Since.IsZero() {
		return nil
	}
	lower, sweep := rules.Lower(value(s.integration.WindowEnd), value(s.integration.Watermark))
	if cp.Sweep = sweep || s.claim.SyncType == store.Full; !cp.Sweep {
		cp.Since = lower
		return nil
	}
	total, estimate, err := s.total(ctx)
	if err != nil {
		return err
	}
	return s.write(func() error { return s.engine.Store.SaveCheckpoint(ctx, s.claim, total, estimate) })
}

// total is how many contacts a sweep will read: by the provider's own count, or about as many as there were.
func (s *slice) total(ctx context.Context) (total *int64, estimate bool, err error) {
	cp := &s.claim.Checkpoint
	if cp.Live, err = s.engine.Store.LiveContacts(ctx, s.integration.ID); err != nil {
		return nil, false, err
	}
	if total, err = s.countThere(ctx); err != nil || total != nil {
		return total, false, err
	}
	if cp.Live == 0 {
		return nil, true, nil
	}
	return &cp.Live, true, nil
}

// countThere asks the provider how many contacts it has; nil if it has no such call.
func (s *slice) countThere(ctx context.Context) (*int64, error) {
	counter, ok := s.source.(providers.ContactCounter)
	if !ok {
		return nil, nil
	}
	var n int64
	_, err := s.read(ctx, func(ctx context.Context) (seen providers.Observation, err error) {
		n, seen, err = counter.CountContacts(ctx)
		return seen, err
	})
	return &n, err
}

func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// fetch asks for a page in the background.
func (s *slice) fetch(ctx context.Context, cursor providers.Cursor) <-chan fetched {
	cp := s.claim.Checkpoint
	got := make(chan fetched, 1)
	go func() {
		f := fetched{cursor: cursor}
		defer func() {
			if p := recover(); p != nil { // of an adapter: outside a job's own goroutine it would end the process
				f.err = &providers.Error{Kind: providers.Internal, Op: s.provider.Name + ": list contacts", Err: fmt.Errorf("panic: %v", p)}
			}
			got <- f
		}()
		f.read, f.err = s.read(ctx, func(ctx context.Context) (_ providers.Observation, err error) {
			f.page, err = s.source.ListContacts(ctx, providers.ListRequest{UpdatedSince: cp.Since, Cursor: cursor})
			return f.page.Observation, err
		})
	}()
	return got
}

// take checks a page and notes in the checkpoint what follows from it; end says that it is the walk's last.
func (s *slice) take(f fetched) (end bool, err error) {
	cp := &s.claim.Checkpoint
	op := s.provider.Name + ": list contacts"
	if f.page.Next != "" && f.page.Next == f.cursor {
		return false, &providers.Error{Kind: providers.SchemaChanged, Op: op, Detail: "the cursor repeats: the same position came back as the next one"}
	}
	if n := len(f.page.Failures); n >= store.BadPage && len(f.page.Contacts) == 0 {
		return false, &providers.Error{Kind: providers.SchemaChanged, Op: op, Detail: fmt.Sprintf("all %d records of a page have an unexpected form", n)}
	}
	if cp.First.IsZero() { // the run's first answer
		cp.First = f.read.Begun
		cp.Upper = rules.Upper(f.page.Date, f.read.Begun)
	}
	end = f.page.Next == ""
	if !cp.Sweep {
		times := make([]time.Time, 0, len(f.page.Contacts))
		for i := range f.page.Contacts {
			if t := f.page.Contacts[i].UpdatedAt; !t.IsZero() {
				times = append(times, t)
			}
		}
		if !rules.Ascending(times) {
			return false, &providers.Error{Kind: providers.InvalidRequest, Op: op, Detail: "a page by update time is not in ascending order"}
		}
		end = end || rules.EndsAfter(times, cp.Upper, s.provider.Limits.Cursors == providers.Positions)
	}
	return end, nil
}

// commit stores a page with the checkpoint behind it.
func (s *slice) commit(ctx context.Context, f fetched, end bool) error {
	cp := &s.claim.Checkpoint
	before := *cp
	cp.Cursor = f.page.Next
	cp.Page++
	if end {
		cp.Phase, cp.Cursor = store.Confirm, ""
	}
	err := s.count(func(calls int) error {
		_, err := s.engine.Store.CommitPage(ctx, &s.claim, store.Page{
			Contacts: f.page.Contacts, Failures: f.page.Failures, Read: f.read, Region: s.engine.Region, Calls: calls,
		})
		return err
	})
	if err != nil {
		*cp = before
	}
	if errors.Is(err, store.ErrAllRefused) {
		return &providers.Error{Kind: providers.SchemaChanged, Op: s.provider.Name + ": list contacts", Detail: "no record of a page can be stored", Err: err}
	}
	return err
}

// walkError restarts the walk when its cursor has expired for the first time.
func (s *slice) walkError(ctx context.Context, f fetched) error {
	if providers.KindOf(f.err) != providers.CursorExpired || f.cursor == "" || s.claim.Checkpoint.Expired {
		return f.err
	}
	s.log.Info().Msg("the reading position expired; the walk begins anew")
	return s.restart(ctx, true)
}

// restart begins the walk anew; what it wrote stays written.
func (s *slice) restart(ctx context.Context, expired bool) error {
	cp := &s.claim.Checkpoint
	cp.Cursor, cp.Page, cp.Listed, cp.Restarted, cp.Expired = "", 0, 0, true, cp.Expired || expired
	return s.write(func() error { return s.engine.Store.RestartWalk(ctx, s.claim) })
}

// reserveReached reports whether scheduled work must leave the rest of the day's budget to people.
func (s *slice) reserveReached() bool {
	return s.claim.RequestedBy == jobs.Scheduled && s.pace.belowReserve()
}
