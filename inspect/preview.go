package inspect

import (
	"context"
	"math"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
)

const (
	// samplePages is how much of a list of changes a preview reads, and of a list of deletions.
	samplePages = 5

	// sampleRecords is how many stored contacts are read by their ids, where nothing else tells of deletions.
	sampleRecords = 10

	// slice is how long runs work at a time: what they remember of an account beside its records is asked again after it.
	slice = 30 * time.Second
)

// Estimate is a number that is known, or about.
type Estimate struct {
	Count int64 `json:"count"`
	Exact bool  `json:"exact" doc:"As long as nothing changes there. False: about so many, or at least."`
}

// Quota is what a sync would take of the account's daily budget.
type Quota struct {
	Cost      int64    `json:"cost" doc:"In the provider's own unit."`
	Limit     *int64   `json:"limit" doc:"Of a day, or of any 24 hours; null: the provider doesn't say."`
	Remaining *int64   `json:"remaining"`
	Percent   *float64 `json:"percent" doc:"cost of limit."`
}

// Sample is what a sync would do with the records that the preview has read.
type Sample struct {
	Read      int64 `json:"read" doc:"Records that were compared."`
	Created   int64 `json:"created"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	Deleted   int64 `json:"deleted" doc:"Absent, or told as deleted, and living here."`
	Undecided int64 `json:"undecided" doc:"Whether they have changed, the sync finds out by reading each."`
	Failed    int64 `json:"failed" doc:"Records that could not be taken."`
}

// Preview is what a sync would cost and do. Nothing of it was written.
type Preview struct {
	SyncType string   `json:"sync_type" enum:"full,incremental"`
	RunsAs   string   `json:"runs_as" enum:"full,incremental" doc:"An incremental sync of an account that was never read to its end, or was away for too long, reads everything."`
	Contacts int64    `json:"contacts" doc:"Live contacts here now."`
	Records  Estimate `json:"records" doc:"Records that the sync would read."`
	Calls    Estimate `json:"calls" doc:"Calls that it would make, readings of single records apart. Exact for a full sync whose provider counts its contacts."`
	Reads    Estimate `json:"reads" doc:"Single records that it would read by their ids: told as deleted, missing, or undecided."`
	Seconds  int64    `json:"seconds" doc:"About how long it would take, waiting for other syncs apart."`
	Quota    *Quota   `json:"quota" doc:"Null: the provider counts none."`
	Sample   Sample   `json:"sample"`
	Spent    int64    `json:"spent_calls" doc:"Calls that this preview has made."`
}

// Preview says what a sync of a kind would cost and do. The error is [vault.ErrInactive], or a [*providers.Error].
func (i *Inspector) Preview(ctx context.Context, in store.Integration, syncType string) (p Preview, err error) {
	r, err := i.open(ctx, in)
	if err != nil {
		return p, err
	}
	defer func() { r.close(ctx, err) }()
	p = Preview{SyncType: syncType, RunsAs: syncType}
	if p.Contacts, err = i.store.LiveContacts(ctx, in.ID); err != nil {
		return p, err
	}
	lower, sweep := rules.Lower(value(in.WindowEnd), value(in.Watermark))
	if sweep || in.DeletionsForgotten(r.provider.Limits.DeletedKept, r.clock.Now()) {
		p.RunsAs = store.Full
	}
	s := &survey{reader: r, p: &p}
	if p.RunsAs == store.Full {
		err = s.full(ctx)
	} else {
		err = s.changes(ctx, lower)
	}
	if err != nil {
		return p, err
	}
	p.Spent = r.spentCalls()
	p.Seconds = s.seconds()
	p.Quota = s.quota()
	return p, nil
}

// survey gathers a preview.
type survey struct {
	*reader

	p    *Preview
	cost int64 // of the budget
}

// price is what reading costs, by what it cost just now.
func (s *survey) price(read func() error) (calls, cost int64, err error) {
	calls, cost = s.spentCalls(), s.purse.usage.Spent
	err = read()
	return s.spentCalls() - calls, s.purse.usage.Spent - cost, err
}

// full surveys a sweep: the provider's count before and after it, the walk, and the list of deletions.
func (s *survey) full(ctx context.Context) error {
	var total *int64
	calls, cost, err := s.price(func() (err error) { total, err = s.count(ctx); return err })
	if err != nil {
		return err
	}
	s.p.Calls = Estimate{2 * calls, true}
	s.cost += 2 * cost
	walk, exact, err := s.walk(ctx, total)
	if err != nil {
		return err
	}
	s.p.Calls.Count += walk.Calls
	s.cost += walk.Quota
	told, err := s.deletions(ctx, true)
	if err != nil {
		return err
	}
	if !told {
		if err := s.missing(ctx); err != nil {
			return err
		}
	}
	s.p.Calls.Exact = s.p.Calls.Exact && exact && walk.Exact && (!walk.Again || s.seconds() <= int64(slice.Seconds()))
	return nil
}

// walk reads a page of a sweep, compares it, and says what all of them cost.
func (s *survey) walk(ctx context.Context, total *int64) (plan providers.SweepPlan, exact bool, err error) {
	expected, exact := s.p.Contacts, false
	if total != nil {
		expected, exact = *total, true
	}
	planner, planned := s.source.(providers.SweepPlanner)
	if planned {
		if _, err := s.read(ctx, func(ctx context.Context, _ providers.ContactSource) (seen providers.Observation, err error) {
			plan, seen, err = planner.PlanSweep(ctx, expected)
			return seen, err
		}); err != nil {
			return plan, false, err
		}
	}
	var page providers.Page
	calls, cost, err := s.price(func() (err error) {
		var got rules.Read
		if page, got, err = s.list(ctx, providers.ListRequest{Cursor: plan.Sample, Expected: expected}); err != nil {
			return err
		}
		return s.compare(ctx, page.Contacts, page.Failures, got)
	})
	if err != nil {
		return plan, false, err
	}
	size := int64(len(page.Contacts) + len(page.Failures))
	if page.Next == "" && !planned || total == nil && page.Next == "" { // that was all of it
		expected, exact = size, true
	}
	s.p.Records = Estimate{expected, exact}
	if !planned {
		pages := int64(1)
		if page.Next != "" && size > 0 {
			pages = max((expected+size-1)/size, 2)
		}
		plan = providers.SweepPlan{Calls: pages * calls, Quota: pages * cost, Exact: true}
	}
	return plan, exact, nil
}

// changes surveys an incremental as it would read.
func (s *survey) changes(ctx context.Context, lower time.Time) error {
	known := make(map[string]bool)
	req := providers.ListRequest{UpdatedSince: lower}
	var upper time.Time
	byCursor, ended := false, false
	calls, cost, err := s.price(func() error {
		for range samplePages {
			page, got, err := s.list(ctx, req)
			if err != nil {
				return err
			}
			if upper.IsZero() {
				upper = rules.Upper(page.Date, got.Begun)
			}
			fresh := page.Contacts[:0:0]
			for _, c := range page.Contacts {
				if !known[c.ExternalID] {
					known[c.ExternalID] = true
					fresh = append(fresh, c)
				}
			}
			if err := s.compare(ctx, fresh, page.Failures, got); err != nil {
				return err
			}
			if req, byCursor, ended = s.following(req, byCursor, page, upper); ended {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.p.Records = Estimate{s.p.Sample.Read + s.p.Sample.Failed, ended}
	s.p.Calls = Estimate{calls, ended}
	s.cost += cost
	_, err = s.deletions(ctx, false)
	return err
}

// following is how a run would go on after a page of changes.
func (s *survey) following(req providers.ListRequest, byCursor bool, page providers.Page, upper time.Time) (next providers.ListRequest, follows, end bool) {
	next = providers.ListRequest{UpdatedSince: req.UpdatedSince, Cursor: page.Next}
	if page.Next == "" {
		return next, byCursor, true
	}
	if s.provider.Limits.Cursors == providers.Bounded {
		return next, byCursor, false
	}
	var times []time.Time
	for i := range page.Contacts {
		if t := page.Contacts[i].UpdatedAt; !t.IsZero() {
			times = append(times, t)
		}
	}
	if rules.EndsAfter(times, upper, !byCursor) {
		return next, byCursor, true
	}
	if s.provider.Limits.Cursors == providers.Positions {
		return next, byCursor, false
	}
	if len(times) > 0 && rules.AsksByTime(req.UpdatedSince, times[len(times)-1], byCursor) {
		return providers.ListRequest{UpdatedSince: times[len(times)-1]}, false, false
	}
	return next, true, false
}

// compare counts what a run would do with records.
func (s *survey) compare(ctx context.Context, contacts []providers.Contact, failures []providers.Failure, got rules.Read) error {
	ids := make([]string, 0, len(contacts))
	for i := range contacts {
		ids = append(ids, contacts[i].ExternalID)
	}
	rows, err := s.store.Rows(ctx, s.integration.ID, ids)
	if err != nil {
		return err
	}
	n := &s.p.Sample
	for _, c := range contacts {
		n.Read++
		row := rows[c.ExternalID]
		switch verdict := rules.Apply(row, rules.Record{Deleted: c.Deleted, Hash: store.ContentHash(c), UpdatedAt: c.UpdatedAt}, got, rules.Page); {
		case verdict == rules.Create, verdict == rules.Lift:
			n.Created++
		case verdict == rules.Update:
			n.Updated++
		case c.Deleted && row != nil && !row.Deleted:
			n.Deleted++
			s.p.Reads.Count++
		case verdict.Asks():
			n.Undecided++
			s.p.Reads.Count++
		default:
			n.Unchanged++
		}
	}
	n.Failed += int64(len(failures))
	return nil
}

// deletions reads the provider's list of deletions as the run would; told is false where there is none.
func (s *survey) deletions(ctx context.Context, sweep bool) (told bool, err error) {
	if _, ok := s.source.(providers.DeletedLister); !ok {
		return false, nil
	}
	base := s.integration.DeletionsKnown()
	every := s.provider.Limits.DeletedEvery
	if base.IsZero() || !sweep && every > 0 && s.clock.Now().Sub(base) < every {
		return true, nil // the run would not read it
	}
	pages, ended := int64(0), false
	var ids []string
	calls, cost, err := s.price(func() error {
		var cursor providers.Cursor
		for pages < samplePages && !ended {
			var page providers.DeletedPage
			if _, err := s.read(ctx, func(ctx context.Context, source providers.ContactSource) (_ providers.Observation, err error) {
				page, err = source.(providers.DeletedLister).ListDeleted(ctx, base.Add(-rules.Overlap), cursor)
				return page.Observation, err
			}); err != nil {
				return err
			}
			pages++
			ids = append(ids, page.ExternalIDs...)
			cursor, ended = page.Next, page.Next == "" || page.Next == cursor
		}
		return nil
	})
	if err != nil {
		return true, err
	}
	times := int64(1)
	if pages > 1 { // a list of several pages is read until two readings agree
		times = 2
	}
	s.p.Calls.Count += times * calls
	s.p.Calls.Exact = s.p.Calls.Exact && ended
	s.cost += times * cost
	rows, err := s.store.Rows(ctx, s.integration.ID, ids)
	if err != nil {
		return true, err
	}
	for _, row := range rows {
		if !row.Deleted {
			s.p.Sample.Deleted++
			s.p.Reads.Count++
		}
	}
	s.p.Reads.Exact = ended && !sweep
	return true, nil
}

// missing reads some stored contacts by their ids: what is absent, a sweep would find deleted.
func (s *survey) missing(ctx context.Context) error {
	ids, err := s.store.SampleContacts(ctx, s.integration.ID, sampleRecords)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, gone, _, err := s.one(ctx, id)
		if err != nil {
			return err
		}
		if gone {
			s.p.Sample.Deleted++
			s.p.Reads.Count++
		}
	}
	return nil
}

// seconds is how long so many calls take, one after another, at the pace that the provider allows.
func (s *survey) seconds() int64 {
	made := s.spentCalls()
	if made == 0 {
		return 0
	}
	each := s.took / time.Duration(made)
	switch limit := s.purse.usage.BurstLimit; {
	case limit != nil && *limit > 0 && s.purse.usage.BurstWindow > 0:
		each = max(each, time.Duration(float64(s.purse.usage.BurstWindow)/(store.QuotaShare*float64(*limit))))
	case s.provider.Limits.RequestsPerSecond > 0:
		each = max(each, time.Duration(float64(time.Second)/s.provider.Limits.RequestsPerSecond))
	}
	return int64(math.Ceil((time.Duration(s.p.Calls.Count+s.p.Reads.Count) * each).Seconds()))
}

func (s *survey) quota() *Quota {
	if s.cost == 0 {
		return nil
	}
	q := &Quota{Cost: s.cost, Limit: s.purse.usage.DailyLimit, Remaining: s.purse.usage.DailyRemaining}
	if q.Limit != nil && *q.Limit > 0 {
		percent := math.Round(float64(q.Cost)/float64(*q.Limit)*1000) / 10
		q.Percent = &percent
	}
	return q
}
