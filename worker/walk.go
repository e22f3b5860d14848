package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/eta"
	"example.com/enlace/store/rules"
)

// ask is how a page is asked for.
type ask struct {
	cursor   providers.Cursor
	from     time.Time // of an incremental: from this update time on
	byCursor bool      // by a cursor that isn't a position
}

// fetched is a page that has come, or the error instead.
type fetched struct {
	ask  ask
	page providers.Page
	read rules.Read
	err  error
}

// walk reads pages to the end of the list or of the window. While a page is written the next is fetched, one ahead.
func (s *slice) walk(ctx context.Context) error {
	if err := s.beginWalk(ctx); err != nil {
		return err
	}
	next := s.fetch(ctx, s.present())
	for {
		var got fetched
		select {
		case got = <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch {
		case got.err != nil:
			return s.walkError(ctx, got)
		case got.page.Wait > 0:
			return s.awaitExport(ctx, got)
		}
		following, end, err := s.take(&got)
		if err != nil {
			return err
		}
		last, err := s.over(ctx)
		if err != nil {
			return err
		}
		if !end && !last { // a page that the slice won't store is not asked for
			next = s.fetch(ctx, following)
		}
		if err := s.commit(ctx, got, following, end); err != nil {
			return err
		}
		switch {
		case end:
			return nil
		case last:
			return errYield
		}
	}
}

// present is how the checkpoint's page is asked for.
func (s *slice) present() ask {
	cp := s.claim.Checkpoint
	a := ask{cursor: cp.Cursor, from: cp.Since, byCursor: cp.ByCursor}
	if !cp.From.IsZero() {
		a.from = cp.From
	}
	return a
}

// beginWalk fixes what the run covers, when it has not begun, and checks that a sweep still knows what it has seen.
func (s *slice) beginWalk(ctx context.Context) error {
	cp := &s.claim.Checkpoint
	if cp.Page == 0 && cp.Sweep && !cp.Counted { // a fault came between
		return s.beginSweep(ctx)
	}
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
	if cp.Sweep = sweep || s.claim.SyncType == store.Full || s.integration.DeletionsForgotten(s.provider.Limits.DeletedKept, s.clock.Now()); !cp.Sweep {
		cp.Since = lower
		return nil
	}
	return s.beginSweep(ctx)
}

// beginSweep notes how much there is to read.
func (s *slice) beginSweep(ctx context.Context) error {
	total, estimate, err := s.total(ctx)
	if err != nil {
		return err
	}
	cp := &s.claim.Checkpoint
	cp.Expected, cp.Counted = value(total), true
	if err := s.save(ctx, total, estimate); err != nil {
		cp.Counted = false
		return err
	}
	return nil
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

// value is what p points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// fetch asks for a page in the background.
func (s *slice) fetch(ctx context.Context, a ask) <-chan fetched {
	source, expected := s.source, s.claim.Checkpoint.Expected
	got := make(chan fetched, 1)
	s.fetching.Go(func() {
		f := fetched{ask: a}
		defer func() {
			if p := recover(); p != nil { // of an adapter: outside a job's own goroutine it would end the process
				f.err = &providers.Error{Kind: providers.Internal, Op: s.op(), Err: fmt.Errorf("panic: %v", p)}
			}
			got <- f
		}()
		f.read, f.err = s.read(ctx, func(ctx context.Context) (_ providers.Observation, err error) {
			f.page, err = source.ListContacts(ctx, providers.ListRequest{UpdatedSince: a.from, Cursor: a.cursor, Expected: expected})
			return f.page.Observation, err
		})
	})
	return got
}

func (s *slice) op() string { return s.provider.Name + ": list contacts" }

// awaitExport leaves the run while the provider prepares what it will read.
func (s *slice) awaitExport(ctx context.Context, f fetched) error {
	cp := &s.claim.Checkpoint
	s.answered(f)
	if !cp.Preparing {
		cp.Exported, cp.Preparing = f.read.Begun, true
	}
	cp.Cursor = f.page.Next
	if err := s.save(ctx, nil, true); err != nil {
		return err
	}
	return &waitError{store.Wait{For: f.page.Wait, Reason: words.WaitExport}}
}

// answered notes the run's first answer, which fixes what it covers.
func (s *slice) answered(f fetched) {
	cp := &s.claim.Checkpoint
	if cp.First.IsZero() {
		cp.First = f.read.Begun
		cp.Upper = rules.Upper(f.page.Date, f.read.Begun)
	}
}

// take checks a page and says how the next one is asked for; end says that it is the walk's last.
func (s *slice) take(f *fetched) (following ask, end bool, err error) {
	cp := &s.claim.Checkpoint
	if f.page.Next != "" && f.page.Next == f.ask.cursor {
		return ask{}, false, repeats(s.op())
	}
	if n := len(f.page.Failures); n >= store.BadPage && len(f.page.Contacts) == 0 {
		return ask{}, false, &providers.Error{Kind: providers.SchemaChanged, Op: s.op(), Detail: fmt.Sprintf("all %d records of a page have an unexpected form", n)}
	}
	s.answered(*f)
	if !cp.Exported.IsZero() { // what an export holds is as old as the export
		f.read.Begun = cp.Exported
	}
	following = ask{cursor: f.page.Next, from: f.ask.from, byCursor: f.ask.byCursor}
	end = f.page.Next == ""
	cursors := s.provider.Limits.Cursors
	if end || cp.Sweep || cursors == providers.Bounded {
		return following, end, nil
	}
	times := updateTimes(f.page.Contacts)
	if !f.ask.byCursor && !rules.Ascending(times) { // a frozen list shows new times in old places
		return ask{}, false, &providers.Error{Kind: providers.InvalidRequest, Op: s.op(), Detail: "a page by update time is not in ascending order"}
	}
	if end = rules.EndsAfter(times, cp.Upper, !f.ask.byCursor); end || cursors == providers.Positions {
		return following, end, nil
	}
	if len(times) > 0 && rules.AsksByTime(f.ask.from, times[len(times)-1], f.ask.byCursor) {
		return ask{from: times[len(times)-1]}, false, nil
	}
	following.byCursor = true
	return following, false, nil
}

// repeats is the error of a list that would never end.
func repeats(op string) *providers.Error {
	return &providers.Error{Kind: providers.SchemaChanged, Op: op, Detail: "the cursor repeats: the same position came back as the next one"}
}

// updateTimes are those of a page's contacts that have one.
func updateTimes(contacts []providers.Contact) []time.Time {
	times := make([]time.Time, 0, len(contacts))
	for i := range contacts {
		if t := contacts[i].UpdatedAt; !t.IsZero() {
			times = append(times, t)
		}
	}
	return times
}

// commit stores a page with the checkpoint behind it.
func (s *slice) commit(ctx context.Context, f fetched, following ask, end bool) error {
	cp := &s.claim.Checkpoint
	before := *cp
	cp.Cursor, cp.ByCursor, cp.From = following.cursor, following.byCursor, time.Time{}
	if !following.from.Equal(cp.Since) {
		cp.From = following.from
	}
	cp.Page++
	cp.Track.Page(f.read.Done.Sub(cp.First), cp.Listed+int64(len(f.page.Contacts)))
	cp.Preparing = false
	if end {
		cp.Phase, cp.Cursor = store.Deleted, ""
	}
	err := s.count(func(spent store.Spent) error {
		_, err := s.engine.Store.CommitPage(ctx, &s.claim, store.Page{
			Contacts: f.page.Contacts, Failures: f.page.Failures, Read: f.read, Region: s.engine.Region, Spent: spent,
			Remember: s.provider.Limits.Cursors == providers.Opaque && len(f.page.Contacts) > 0,
		})
		return err
	})
	if err != nil {
		*cp = before
	} else {
		s.recovered(ctx)
	}
	if errors.Is(err, store.ErrAllRefused) {
		return &providers.Error{Kind: providers.SchemaChanged, Op: s.op(), Detail: "no record of a page can be stored", Err: err}
	}
	return err
}

// walkError restarts the walk when its cursor has expired for the first time, and reads everything where the list of
// changes is longer than the provider shows.
func (s *slice) walkError(ctx context.Context, f fetched) error {
	cp := &s.claim.Checkpoint
	switch kind := providers.KindOf(f.err); {
	case kind == providers.CursorExpired && f.ask.cursor != "" && !cp.Expired:
		s.log.Info().Msg("the reading position expired; the walk begins anew")
		return s.restart(ctx, true)
	case kind == providers.ListTooLong && !cp.Sweep:
		s.log.Info().Msg("more has changed than the provider lists; the run becomes a full one")
		cp.Sweep, cp.TooLong, cp.Since = true, true, time.Time{}
		if err := s.restart(ctx, false); err != nil {
			return err
		}
		return s.beginSweep(ctx)
	}
	return f.err
}

// restart begins the walk anew; what it wrote stays written.
func (s *slice) restart(ctx context.Context, expired bool) error {
	cp := &s.claim.Checkpoint
	cp.Cursor, cp.Page, cp.Listed, cp.Restarted, cp.Expired = "", 0, 0, true, cp.Expired || expired
	cp.From, cp.ByCursor, cp.Moved = time.Time{}, false, false
	cp.Exported, cp.Preparing, cp.Reading, cp.Track = time.Time{}, false, store.Reading{}, eta.Track{}
	return s.write(func() error { return s.engine.Store.RestartWalk(ctx, s.claim) })
}
