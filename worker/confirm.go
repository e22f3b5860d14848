package worker

import (
	"context"
	"errors"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
)

// batch is how many ids of records to read are fetched from the store at once.
const batch = 50

// confirmAsked reads the records that the walk asked about, one by one.
func (s *slice) confirmAsked(ctx context.Context) error {
	if err := s.confirmAll(ctx, false); err != nil {
		return err
	}
	if s.claim.Checkpoint.Sweep {
		return s.enter(ctx, store.Sample)
	}
	s.claim.Checkpoint.Phase = store.Finish // nothing lies between: a run that dies here finds nothing to read again
	return nil
}

// confirmAbsent reads everything that a sweep has not met, then concludes from what merely is absent.
func (s *slice) confirmAbsent(ctx context.Context) error {
	if err := s.confirmAll(ctx, true); err != nil {
		return err
	}
	n, err := s.engine.Store.CountAbsent(ctx, s.claim.RunID)
	if err != nil {
		return err
	}
	cp := &s.claim.Checkpoint
	cp.Phase = store.Finish
	if rules.JudgeUnproven(n, int(cp.Live)) == rules.Hold {
		cp.Held = int64(n)
		return s.write(func() error { return s.engine.Store.HoldAbsent(ctx, s.claim) })
	}
	return s.write(func() error { return s.engine.Store.TombstoneAbsent(ctx, s.claim) })
}

func (s *slice) confirmAll(ctx context.Context, absent bool) error {
	for {
		asked, err := s.engine.Store.NextAsked(ctx, s.claim.RunID, absent, batch)
		if err != nil || len(asked) == 0 {
			return err
		}
		for _, a := range asked {
			if _, err := s.confirm(ctx, a, absent); err != nil {
				return err
			}
			if over, err := s.over(ctx); err != nil {
				return err
			} else if over {
				return errYield
			}
		}
	}
}

// confirm reads a record by its id and stores what that says, again while another reader overlaps it.
func (s *slice) confirm(ctx context.Context, a store.Asked, absent bool) (rules.Finding, error) {
	for range rules.Rereads {
		f, finding, failure, err := s.readOne(ctx, a)
		if err != nil {
			return finding, err
		}
		err = s.count(func(spent store.Spent) error {
			if failure != nil {
				return s.engine.Store.CommitUnreadable(ctx, s.claim, a, *failure, spent)
			}
			return s.engine.Store.CommitConfirm(ctx, s.claim, f, absent, spent)
		})
		if !errors.Is(err, store.ErrOverlapped) {
			return finding, err
		}
	}
	// every reading was overlapped by another reader's: that one's is stored, and the next sweep looks again
	return rules.Alive, s.count(func(spent store.Spent) error { return s.engine.Store.DropAsked(ctx, s.claim, a.ExternalID, spent) })
}

// readOne is a confirming read. failure is set for a record that is there but can't be understood.
func (s *slice) readOne(ctx context.Context, a store.Asked) (f store.Confirmed, finding rules.Finding, failure *providers.Failure, err error) {
	f = store.Confirmed{Asked: a, Region: s.engine.Region}
	var contact providers.Contact
	f.Read, err = s.read(ctx, func(ctx context.Context) (seen providers.Observation, err error) {
		contact, seen, err = s.source.ReadContact(ctx, a.ExternalID)
		return seen, err
	})
	e, _ := errors.AsType[*providers.Error](err)
	switch {
	case err == nil:
		f.Contact = &contact
		if contact.Deleted {
			return f, rules.Proven, nil, nil
		}
		return f, rules.Alive, nil, nil
	case e != nil && e.Kind == providers.NotFound:
		return f, rules.Unproven, nil, nil
	case e != nil && e.Record != nil:
		return f, rules.Alive, e.Record, nil
	}
	return f, rules.Alive, nil, err
}

// judgeAbsences finds what a finished sweep has not met. More of it than one believes is first sampled: one living
// record shows that the list was incomplete; one that is absent without proof leaves the decision to a person.
func (s *slice) judgeAbsences(ctx context.Context) error {
	cp := &s.claim.Checkpoint
	var n int
	err := s.write(func() (err error) {
		n, err = s.engine.Store.NoteAbsent(ctx, s.claim)
		return err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return s.enter(ctx, store.Finish)
	}
	if cp.Live, err = s.engine.Store.LiveContacts(ctx, s.integration.ID); err != nil {
		return err
	}
	if rules.Braked(n, int(cp.Live)) {
		conclusion, err := s.sample(ctx)
		switch {
		case err != nil:
			return err
		case conclusion == rules.Incomplete:
			cp.Short = true
			return s.enter(ctx, store.Finish)
		case conclusion == rules.Hold:
			cp.Held, cp.Phase = int64(n), store.Finish
			return s.write(func() error { return s.engine.Store.HoldAbsent(ctx, s.claim) })
		}
	}
	return s.enter(ctx, store.Absent)
}

// sample reads a few of the candidates, spread out.
func (s *slice) sample(ctx context.Context) (rules.Conclusion, error) {
	ids, err := s.engine.Store.AbsentIDs(ctx, s.claim.RunID)
	if err != nil {
		return 0, err
	}
	var findings []rules.Finding
	for _, id := range rules.Sample(ids, rules.SampleSize) {
		f, finding, failure, err := s.readOne(ctx, store.Asked{ExternalID: id})
		if err != nil {
			return 0, err
		}
		if finding != rules.Proven && failure == nil { // an absence is noted: a person is told what was read
			err := s.count(func(spent store.Spent) error { return s.engine.Store.CommitConfirm(ctx, s.claim, f, true, spent) })
			if err != nil && !errors.Is(err, store.ErrOverlapped) {
				return 0, err
			}
		}
		findings = append(findings, finding)
		if finding == rules.Alive {
			break
		}
	}
	return rules.JudgeSample(findings), nil
}
