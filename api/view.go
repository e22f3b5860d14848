package api

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// runView is a sync run as the API shows it: the row, and what it says to a person.
type runView struct {
	store.Run

	JobID    *string    `json:"job_id"`
	State    string     `json:"state" doc:"What it is to a person: finer than status, and stable."`
	Tone     words.Tone `json:"tone" enum:"ok,info,wait,act,mute" doc:"Colour token of the state."`
	Title    string     `json:"title" doc:"The state in the caller's language."`
	Sentence string     `json:"sentence" doc:"What it means, in the caller's language."`

	Percent    *float64   `json:"percent" doc:"Null unless the total is known: never an estimate."`
	Rate       *float64   `json:"rate" doc:"Contacts a second while it reads, lately; null while it doesn't."`
	ETASeconds *int64     `json:"eta_seconds" doc:"What is left of the run, waits included. Null unless the total is known and the run has read for some seconds."`
	ETALow     *int64     `json:"eta_low_seconds" doc:"At least so long, unless the provider changes its pace."`
	ETAHigh    *int64     `json:"eta_high_seconds" doc:"At most so long, likewise."`
	NextSyncAt *time.Time `json:"next_sync_at" doc:"When the integration syncs next by itself."`
}

// integrationView is an integration as the API shows it.
type integrationView struct {
	store.Integration

	State             string     `json:"state" doc:"What it is to a person: finer than status, and stable."`
	Tone              words.Tone `json:"tone" enum:"ok,info,wait,act,mute" doc:"Colour token of the state."`
	Title             string     `json:"title" doc:"The state in the caller's language."`
	Sentence          string     `json:"sentence" doc:"What it means, in the caller's language."`
	ProviderTitle     string     `json:"provider_title"`
	FreshAsOf         *time.Time `json:"fresh_as_of" doc:"The contacts here are as they were there at this time."`
	Contacts          int64      `json:"contacts" doc:"Live contacts."`
	ContactsAreApprox bool       `json:"contacts_are_approx" doc:"There are more than were counted now: as of the last full sync, or at least."`
	Run               *runView   `json:"run" doc:"The active run, or the last one; null: none yet."`

	Features []providers.GrantedFeature `json:"features" nullable:"false" doc:"What the granted scopes are enough for."`
}

// exactCount is how far contacts are counted for each list.
const exactCount = 10_000

// providerTitle is what people call a provider; one that isn't set up here keeps its name.
func (s *Server) providerTitle(name string) string {
	if p := s.providers[name]; p != nil {
		return p.Title
	}
	return name
}

// argsOf are the values that sentences about an integration may name.
func (s *Server) argsOf(i store.Integration) words.Args {
	return words.Args{Now: s.opts.Now(), Provider: s.providerTitle(i.Provider), Account: value(i.ExternalAccountName)}
}

// viewRun words a run. Held is how many of its deletions wait for a person.
func (s *Server) viewRun(lang words.Lang, r store.Run, i store.Integration, held int64) runView {
	v := runView{Run: r, NextSyncAt: i.NextSyncAt}
	if r.JobID != nil {
		id := strconv.FormatInt(*r.JobID, 10)
		v.JobID = &id
	}
	args := s.argsOf(i)
	args.Detail, args.Count = value(r.ErrorDetail), r.ProviderCount
	args.Live = r.LiveCount
	waitArgs(&args, r)
	state := words.RunState(lang, words.RunFacts{
		Status: r.Status, CancelRequested: r.CancelRequestedAt != nil, WaitingUntil: value(r.WaitingUntil), WaitingReason: value(r.WaitingReason),
		LeaseUntil: value(r.LeaseUntil), Outcome: value(r.Outcome), ErrorCode: words.Code(value(r.ErrorCode)), ErrorVariant: value(r.ErrorVariant),
		NextSyncAt: value(i.NextSyncAt), StartedAt: value(r.StartedAt), CompletedAt: value(r.CompletedAt), Synced: r.RecordsSynced,
		Pages: int64(r.Pages), Skipped: r.RecordsFailed, HeldDeletions: held, MissedTicks: int64(r.MissedTicks),
		CountsMatch: r.SyncType == store.Full && r.Drift != nil && *r.Drift == 0,
	}, args)
	v.State, v.Tone, v.Title, v.Sentence = state.Key, state.Tone, state.Label, state.Tooltip
	s.progress(&v)
	return v
}

// progress says how far a run is and how long it has yet to go, as far as that is known.
func (s *Server) progress(v *runView) {
	known := v.RecordsTotal != nil && !v.TotalIsEstimate && *v.RecordsTotal > 0 && v.RecordsSeen <= *v.RecordsTotal
	if known && v.Active() {
		percent := math.Floor(float64(v.RecordsSeen)/float64(*v.RecordsTotal)*1000) / 10
		v.Percent = &percent
	}
	if !v.Active() || v.Track == nil {
		return
	}
	var waiting time.Duration
	if v.WaitingUntil != nil {
		waiting = max(v.WaitingUntil.Sub(s.opts.Now()), 0)
	}
	left := v.Track.Left(v.RecordsSeen, value(v.RecordsTotal), waiting)
	if !left.Known {
		return
	}
	if waiting == 0 {
		rate := math.Round(left.Rate*10) / 10
		v.Rate = &rate
	}
	if known {
		v.ETASeconds, v.ETALow, v.ETAHigh = wholeSeconds(left.Left), wholeSeconds(left.Low), wholeSeconds(left.High)
	}
}

func wholeSeconds(d time.Duration) *int64 {
	n := int64(math.Ceil(d.Seconds()))
	return &n
}

// viewRuns words runs, whose integrations it reads.
func (s *Server) viewRuns(ctx context.Context, runs []store.Run) ([]runView, error) {
	ids := make([]uuid.UUID, 0, len(runs))
	for _, r := range runs {
		ids = append(ids, r.IntegrationID)
	}
	integrations, err := s.store.IntegrationsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	held, err := s.heldOf(ctx, runs)
	if err != nil {
		return nil, err
	}
	views := make([]runView, 0, len(runs))
	for _, r := range runs {
		views = append(views, s.viewRun(callOf(ctx).lang, r, integrations[r.IntegrationID], held[r.ID]))
	}
	return views, nil
}

func (s *Server) viewOneRun(ctx context.Context, r store.Run) (runView, error) {
	views, err := s.viewRuns(ctx, []store.Run{r})
	if err != nil {
		return runView{}, err
	}
	return views[0], nil
}

func (s *Server) heldOf(ctx context.Context, runs []store.Run) (map[uuid.UUID]int64, error) {
	var ids []uuid.UUID
	for _, r := range runs {
		if value(r.Outcome) == store.DeletionsHeld {
			ids = append(ids, r.ID)
		}
	}
	return s.store.HeldDeletions(ctx, ids)
}

// viewIntegrations words integrations, with their last runs and counts.
func (s *Server) viewIntegrations(ctx context.Context, lang words.Lang, list []store.Integration) ([]integrationView, error) {
	ids := make([]uuid.UUID, 0, len(list))
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	runs, err := s.store.LastRuns(ctx, ids)
	if err != nil {
		return nil, err
	}
	counts, err := s.store.CountContacts(ctx, ids, exactCount)
	if err != nil {
		return nil, err
	}
	last := make([]store.Run, 0, len(runs))
	for _, r := range runs {
		last = append(last, r)
	}
	held, err := s.heldOf(ctx, last)
	if err != nil {
		return nil, err
	}
	views := make([]integrationView, 0, len(list))
	for _, i := range list {
		v := s.viewIntegration(lang, i)
		v.Contacts, v.ContactsAreApprox = counts[i.ID].N, counts[i.ID].About
		if r, ok := runs[i.ID]; ok {
			run := s.viewRun(lang, r, i, held[r.ID])
			v.Run = &run
		}
		views = append(views, v)
	}
	return views, nil
}

func (s *Server) viewIntegration(lang words.Lang, i store.Integration) integrationView {
	v := integrationView{Integration: i, ProviderTitle: s.providerTitle(i.Provider), FreshAsOf: later(i.Watermark, i.WindowEnd)}
	state := words.ConnectionState(lang, words.ConnectionFacts{
		Status: i.Status, RefreshLeaseUntil: value(i.RefreshLeaseUntil), RefreshedAt: value(i.RefreshedAt), StatusSince: i.UpdatedAt, Schedule: i.Schedule,
	}, s.argsOf(i))
	v.State, v.Tone, v.Title, v.Sentence = state.Key, state.Tone, state.Label, state.Tooltip
	v.Features = []providers.GrantedFeature{}
	if oauth := s.oauthOf(i.Provider); oauth != nil {
		v.Features = oauth.Granted(i.Scopes)
	}
	return v
}

// value is what a column holds; the zero value for null.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// later is the later of two times that may be missing: nothing newer than the end of a walked window is missing here, even
// if nothing has changed there for months.
func later(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.After(*a)) {
		return b
	}
	return a
}
