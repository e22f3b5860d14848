package worker

import (
	"context"
	"hash/fnv"
	"time"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
)

// readings is how often a list of deletions of several pages is read at most until two readings agree.
const readings = 3

// readDeleted reads the provider's list of deletions, if it has one: those of living rows are asked for. Then it decides
// whether the walk is to be believed.
func (s *slice) readDeleted(ctx context.Context) error {
	cp := &s.claim.Checkpoint
	lister, ok := s.source.(providers.DeletedLister)
	since, due := s.deletedSince()
	for ok && due && !cp.Reading.Done {
		if cp.Reading.Since.IsZero() {
			cp.Reading.Since = since
		}
		if err := s.readDeletedPage(ctx, lister); err != nil {
			return err
		}
		if over, err := s.over(ctx); err != nil {
			return err
		} else if over {
			return errYield
		}
	}
	if cp.ByCursor && !cp.Moved {
		twice, err := s.engine.Store.MetTwice(ctx, s.claim.RunID)
		if err != nil {
			return err
		}
		cp.Moved = twice
	}
	if !cp.Sweep && rules.WalkAgain(cp.ByCursor, cp.Moved, cp.Rewalks) {
		s.log.Info().Msg("records moved while the list was read; the window is walked again")
		cp.Rewalks++
		cp.Phase = store.Walk
		return s.restart(ctx, false)
	}
	cp.Phase = store.Confirm // not written: a run that dies here only reads the end of the list again
	return nil
}

// readDeletedPage reads one page of the list and notes what it asks for.
func (s *slice) readDeletedPage(ctx context.Context, lister providers.DeletedLister) error {
	cp := &s.claim.Checkpoint
	before := *cp
	r := &cp.Reading
	var page providers.DeletedPage
	_, err := s.read(ctx, func(ctx context.Context) (_ providers.Observation, err error) {
		page, err = lister.ListDeleted(ctx, r.Since, r.Cursor)
		return page.Observation, err
	})
	if err != nil {
		return s.deletedError(err)
	}
	if page.Next != "" && page.Next == r.Cursor {
		return repeats(s.provider.Name + ": list deletions")
	}
	for _, id := range page.ExternalIDs {
		h := fnv.New64a()
		_, _ = h.Write([]byte(id))
		r.Sum += h.Sum64()
	}
	r.Cursor = page.Next
	r.Pages++
	if r.Cursor == "" {
		r.Times++
		r.Done = r.Pages == 1 || r.Times > 1 && r.Sum == r.Before || r.Times == readings
		r.Before, r.Sum, r.Pages = r.Sum, 0, 0
	}
	err = s.count(func(spent store.Spent) error {
		return s.engine.Store.CommitDeleted(ctx, &s.claim, page.ExternalIDs, spent)
	})
	if err != nil {
		*cp = before
	}
	return err
}

// deletedError begins the list anew where its cursor has expired. It is read by pages that ask for little: once more is
// enough.
func (s *slice) deletedError(err error) error {
	r := &s.claim.Checkpoint.Reading
	if providers.KindOf(err) != providers.CursorExpired || r.Cursor == "" || r.Times == readings-1 {
		return err
	}
	r.Times++
	r.Cursor, r.Pages, r.Sum = "", 0, 0
	return nil
}

// deletedSince is from when on deletions are to be read; due is false where there is nothing to read yet, or it isn't time.
func (s *slice) deletedSince() (since time.Time, due bool) {
	base := s.integration.DeletionsKnown()
	if base.IsZero() {
		return time.Time{}, false // nothing is stored that could have been deleted
	}
	every := s.provider.Limits.DeletedEvery
	asked := s.claim.Checkpoint.Sweep || s.claim.RequestedBy == jobs.CoversGap
	return base.Add(-rules.Overlap), asked || every == 0 || s.clock.Now().Sub(base) >= every
}
