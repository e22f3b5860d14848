package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
	"example.com/enlace/store/vault"
)

// slice is what one attempt of a run's job does before it yields.
type slice struct {
	engine   *engine
	jobQueue string // whose waiting jobs it makes room for
	claim    store.Claim
	clock    store.DatabaseClock
	log      zerolog.Logger
	began    time.Time

	interactive bool // somebody waits for it: it may use what scheduled work leaves

	integration store.Integration
	provider    *providers.Provider
	account     string
	client      *vault.Client
	source      providers.ContactSource
	budget      store.BudgetKey
	quota       *quota
	doubted     atomic.Bool    // the last call of the account, whoever made it, was not served
	refreshed   bool           // the token was renewed because an error asked for it
	sound       bool           // a page was stored, and what that shows to be over is closed
	fetching    sync.WaitGroup // the page that is read ahead
	pages       int            // that were read, or records of a list of changes
	looked      time.Time      // when the queue was looked at last
	counted     int64          // calls that a commit has counted
	spent       int64          // of what calls have cost, that which a commit has counted

	writing sync.Mutex // held while the run's row is written
	ended   bool       // under writing: the slice has ended the run, and its lease with it
}

func newSlice(e *engine, c store.Claim) *slice {
	return &slice{
		engine: e, jobQueue: jobs.QueueSync, claim: c, clock: store.NewDatabaseClock(c.Now), began: time.Now(), interactive: jobs.Interactive(c.RequestedBy),
		log: e.Log.With().Stringer("run_id", c.RunID).Stringer("integration_id", c.IntegrationID).Stringer("tenant_id", c.TenantID).
			Int64("job_id", c.Job).Logger(),
	}
}

// errYield ends a slice that has more to do.
var errYield = errors.New("yield")

// run goes through the phases of the run from where its checkpoint stands. It returns nil when the run has ended.
func (s *slice) run(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	for {
		var err error
		switch s.claim.Checkpoint.Phase {
		case store.Walk:
			err = s.walk(ctx)
		case store.Deleted:
			err = s.readDeleted(ctx)
		case store.Confirm:
			err = s.confirmAsked(ctx)
		case store.Sample:
			err = s.judgeAbsences(ctx)
		case store.Absent:
			err = s.confirmAbsent(ctx)
		case store.Finish:
			return s.finish(ctx)
		default:
			err = fmt.Errorf("unknown phase %q", s.claim.Checkpoint.Phase)
		}
		if err == nil {
			continue
		}
		if again, refreshErr := s.mend(ctx, err); refreshErr != nil {
			return refreshErr
		} else if !again {
			return err
		}
	}
}

// open reads what the slice works with. An account that the provider has blocked for now is left alone.
func (s *slice) open(ctx context.Context) (err error) {
	if s.integration, err = s.engine.Store.AnyIntegration(ctx, s.claim.IntegrationID); err != nil {
		return err
	}
	if s.integration.Status != store.Connected {
		return vault.ErrInactive // paused by a writer that ends no runs
	}
	s.provider = s.engine.byName[s.integration.Provider]
	if s.provider == nil || s.provider.Contacts == nil {
		return &providers.Error{
			Kind: providers.Misconfigured, Variant: "app", Op: "open " + s.integration.Provider,
			Detail: "this provider is not configured here",
		}
	}
	s.log = s.log.With().Str("provider", s.provider.Name).Logger()
	s.account = s.integration.AccountID()
	s.budget = store.BudgetOf(s.provider, s.account)
	budget, err := s.engine.Store.Budget(ctx, s.budget)
	if err != nil {
		return err
	}
	if budget.BlockedFor > 0 {
		return &waitError{store.Wait{For: budget.BlockedFor, Reason: budget.Reason}}
	}
	reach, err := s.engine.Store.Reach(ctx, s.reachKey())
	if err != nil {
		return err
	}
	if reach.Down {
		return &waitError{waitsForProbe()}
	}
	s.doubted.Store(reach.Failures > 0)
	s.quota = newQuota(s.engine.Store, s.budget, s.provider.Limits, budget, s.clock.Now)
	s.quota.interactive = s.interactive
	if kept := s.engine.kept.take(s.claim.RunID, s.asked()); kept != nil {
		s.client, s.source = kept.client, kept.source
		s.counted = s.calls()
		return nil
	}
	s.connect()
	return nil
}

// asked is the account that the source asks.
func (s *slice) asked() providers.Account {
	account := s.integration.Account()
	account.ExternalID = s.account
	return account
}

// connect makes client and source from the account as it is stored.
func (s *slice) connect() {
	s.close()
	account, calls := s.asked(), s.calls()
	s.client = s.engine.Vault.Client(s.integration.ID, account)
	s.counted -= calls
	s.source = s.provider.Contacts(account, s.client.Client)
}

// close lets go of what the source holds, once nothing is read ahead any more.
func (s *slice) close() {
	s.fetching.Wait()
	(&keptSource{source: s.source}).close(&s.log)
	s.source = nil
}

// release lets go of the source, or keeps it for the run's next slice if the run only yields or waits.
func (s *slice) release(err error) {
	_, waits := errors.AsType[*waitError](err)
	if s.source == nil || !waits && !errors.Is(err, errYield) {
		s.close()
		return
	}
	s.fetching.Wait()
	s.engine.kept.keep(s.claim.RunID, &keptSource{account: s.asked(), client: s.client, source: s.source})
	s.source = nil
}

// calls are those of the present client.
func (s *slice) calls() int64 {
	if s.client == nil {
		return 0
	}
	return s.client.Calls()
}

// uncounted is what was spent that no commit has counted yet.
func (s *slice) uncounted() store.Spent {
	spent := store.Spent{Calls: int(s.calls() - s.counted)}
	if s.quota != nil {
		spent.Quota = s.quota.spent() - s.spent
	}
	return spent
}

// mend renews the token if the error says that this may help, once in a slice; again says whether to go on.
func (s *slice) mend(ctx context.Context, err error) (again bool, _ error) {
	e, ok := errors.AsType[*providers.Error](err)
	if !ok || !e.RefreshFirst || s.refreshed {
		return false, nil
	}
	s.refreshed = true
	if _, err := s.engine.Vault.Token(ctx, s.integration.ID, s.client.Generation()); err != nil {
		return false, fmt.Errorf("renew token: %w", err)
	}
	if s.integration, err = s.engine.Store.AnyIntegration(ctx, s.integration.ID); err != nil {
		return false, err
	}
	s.connect()
	return true, nil
}

const (
	mostPages = 2000 // of a slice: of a list whose pages cost nothing
	crowd     = 100  // jobs that are counted at most

	// shortestTurn is the part of a turn that is left when many wait: each slice begins by opening its account.
	shortestTurn = 5
)

// over reports whether the slice should yield before its next page: after so long or so many pages, or sooner if jobs
// wait, the sooner the more there are to a worker, so that their round takes about as long.
func (s *slice) over(ctx context.Context) (bool, error) {
	elapsed, spans := time.Since(s.began), s.engine.Spans
	s.pages++
	switch {
	case s.engine.isStopping() || elapsed >= spans.Slice || s.pages >= mostPages:
		return true, nil
	case elapsed < spans.Turn/shortestTurn || time.Since(s.looked) < spans.Turn/shortestTurn/2:
		return false, nil
	}
	s.looked = time.Now()
	n, err := s.engine.Store.JobsWaiting(ctx, s.jobQueue, crowd)
	if err != nil || n == 0 {
		return false, err
	}
	turn := spans.Turn * time.Duration(s.engine.Workers) / time.Duration(max(n, s.engine.Workers))
	return elapsed >= max(turn, spans.Turn/shortestTurn), nil
}

// write holds off the lease's renewal while do writes the run's row.
func (s *slice) write(do func() error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return do()
}

// count writes the run's row, and with it what was spent that no commit has counted yet. What is committed ends a row of
// failures.
func (s *slice) count(commit func(spent store.Spent) error) error {
	return s.write(func() error {
		spent := s.uncounted()
		err := commit(spent)
		if err == nil {
			s.counted, s.spent, s.claim.FailuresInRow = s.counted+int64(spent.Calls), s.spent+spent.Quota, 0
		}
		return err
	})
}

// enter moves the run to its next phase.
func (s *slice) enter(ctx context.Context, phase store.Phase) error {
	s.claim.Checkpoint.Phase = phase
	return s.save(ctx, nil, true)
}

// save writes the checkpoint, which ends a row of failures: the run has got on. Total is how much there is to read; nil:
// as before.
func (s *slice) save(ctx context.Context, total *int64, estimate bool) error {
	return s.write(func() error {
		err := s.engine.Store.SaveCheckpoint(ctx, s.claim, total, estimate)
		if err == nil {
			s.claim.FailuresInRow = 0
		}
		return err
	})
}

// read does one provider call, paid from the account's budgets, and says when it began and was answered, by the
// database's clock.
func (s *slice) read(ctx context.Context, call func(ctx context.Context) (providers.Observation, error)) (rules.Read, error) {
	first := &firstPaid{payer: s.quota, now: s.clock.Now, began: s.clock.Now()}
	seen, err := call(providers.WithPayer(ctx, first))
	r := rules.Read{Begun: first.began, Done: s.clock.Now()}
	s.quota.learn(seen.Usage, err == nil)
	if err == nil {
		s.noteServed(ctx)
	}
	return r, err
}

// firstPaid notes when the first of a call's requests was paid: before that it hasn't begun. For one goroutine at a time.
type firstPaid struct {
	payer providers.Payer
	now   func() time.Time
	began time.Time
	paid  bool
}

// Pay implements [providers.Payer].
func (f *firstPaid) Pay(ctx context.Context, price int64) error {
	err := f.payer.Pay(ctx, price)
	if err == nil && !f.paid {
		f.began, f.paid = f.now(), true
	}
	return err
}

// cancelled reports whether a person has cancelled the job.
func cancelled(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely)
}
