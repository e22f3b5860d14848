// Package worker does the work: River's workers and the engine behind them. The engine is a short loop, fetch, decide,
// commit, that may be killed anywhere: everything it knows is in the run's checkpoint, and every write is fenced. It
// names no provider and holds no SQL.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"

	"example.com/enlace/jobs"
	"example.com/enlace/migrations"
	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// Options are what a worker needs.
type Options struct {
	Driver    *riverpgxv5.Driver
	Store     *store.Store
	Vault     *vault.Vault
	Providers []*providers.Provider
	Log       zerolog.Logger
	QueueLog  *slog.Logger // River's own log; nil: silent

	Workers  int    // slices at a time in this process [8]
	PollOnly bool   // the database is behind a transaction pooler: no LISTEN
	Region   string // of phone numbers without a country code, such as "MX"

	// PublicURL is where providers reach our API, without a slash at its end. Empty: none is asked to notify us of changes.
	PublicURL string

	Spans Spans
}

// Spans are the engine's times; zero values are those in brackets. Tests make them short.
type Spans struct {
	Slice    time.Duration // a slice of a run ends after so long [30 s]
	Turn     time.Duration // or after so long, if a job waits for a worker [5 s]
	Renew    time.Duration // between renewals of a lease of 10 s [3 s]
	Look     time.Duration // between looks for runs that nobody works on [3 s]
	Schedule time.Duration // between looks for integrations that are due [5 s]
	Backoff  time.Duration // the first wait after a failure; each next is three times as long, to 5 min [2 s]
	Probe    time.Duration // between calls that ask whether a provider serves again [3 s]
	Blocked  time.Duration // before an account that may not is tried again [24 h]

	Settle    time.Duration // from the last notice of a changed record to its reading [5 s]
	Patience  time.Duration // from the first one to its reading, however many come [30 s]
	Flood     time.Duration // between runs that read many changed records at once [2 min]
	Subscribe time.Duration // between looks for subscriptions to make, look after or renew [1 min]
	Check     time.Duration // between looks after a subscription that doesn't end before [24 h]
}

func (s *Spans) fill() {
	for _, d := range []struct {
		span *time.Duration
		or   time.Duration
	}{
		{&s.Slice, 30 * time.Second},
		{&s.Turn, 5 * time.Second},
		{&s.Renew, 3 * time.Second},
		{&s.Look, 3 * time.Second},
		{&s.Schedule, 5 * time.Second},
		{&s.Backoff, 2 * time.Second},
		{&s.Probe, 3 * time.Second},
		{&s.Blocked, 24 * time.Hour},
		{&s.Settle, 5 * time.Second},
		{&s.Patience, 30 * time.Second},
		{&s.Flood, 2 * time.Minute},
		{&s.Subscribe, time.Minute},
		{&s.Check, 24 * time.Hour},
	} {
		if *d.span == 0 {
			*d.span = d.or
		}
	}
}

const (
	// timeout bounds an attempt: a slice, and the longest request that it may have begun. It is finite, so that River's
	// own rescuer stays the last resort.
	timeout = 2 * time.Minute
	rescue  = 3 * time.Minute

	// softStop is how long running slices have to finish their page once the process is asked to stop.
	softStop = 8 * time.Second
)

// Worker is one process's worker side. Start it once, stop it once.
type Worker struct {
	engine *engine
	stop   context.CancelFunc
	loops  sync.WaitGroup
}

// New makes a worker; nothing runs before Start.
func New(o Options) (*Worker, error) {
	if o.Workers == 0 {
		o.Workers = 8
	}
	o.Spans.fill()
	e := &engine{Options: o, stopping: make(chan struct{}), byName: make(map[string]*providers.Provider)}
	e.kept.log = &e.Log
	for _, p := range o.Providers {
		e.byName[p.Name] = p
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &syncWorker{engine: e})
	river.AddWorker(workers, &scheduleWorker{engine: e})
	river.AddWorker(workers, &refreshWorker{engine: e})
	river.AddWorker(workers, &retainWorker{engine: e})
	river.AddWorker(workers, &inboxWorker{engine: e})
	river.AddWorker(workers, &changesWorker{engine: e})
	river.AddWorker(workers, &subscribeWorker{engine: e})
	queueLog := o.QueueLog
	if queueLog == nil {
		queueLog = slog.New(slog.DiscardHandler)
	}
	client, err := river.NewClient(o.Driver, &river.Config{
		Schema: migrations.RiverSchema, Logger: queueLog, Workers: workers, PollOnly: o.PollOnly,
		JobTimeout: timeout, RescueStuckJobsAfter: rescue, SoftStopTimeout: softStop, RetryPolicy: retryPolicy{},
		Queues: map[string]river.QueueConfig{
			jobs.QueueSync:    {MaxWorkers: o.Workers, FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 100 * time.Millisecond},
			jobs.QueueControl: {MaxWorkers: 2},
			jobs.QueueInbox:   {MaxWorkers: 2, FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 200 * time.Millisecond},
			jobs.QueueChanges: {MaxWorkers: max(o.Workers/2, 1), FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 200 * time.Millisecond},
		},
		PeriodicJobs: []*river.PeriodicJob{
			periodic("schedule", o.Spans.Schedule, jobs.ScheduleArgs{}),
			periodic("token_refresh", time.Minute, jobs.RefreshArgs{}),
			periodic("retain", time.Hour, jobs.RetainArgs{}),
			periodic("webhook_subscribe", o.Spans.Subscribe, jobs.SubscribeArgs{}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make queue client: %w", err)
	}
	e.jobs = jobs.New(client, o.Store)
	if o.PublicURL == "" && len(e.subscribable()) > 0 {
		o.Log.Warn().Strs("providers", e.subscribable()).Msg("PUBLIC_URL is not set here: no provider is asked to notify us of changes; schedules alone find them")
	}
	return &Worker{engine: e}, nil
}

func periodic(id string, every time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) { return args, nil },
		&river.PeriodicJobOpts{ID: id, RunOnStart: true})
}

// retryPolicy is River's wait after a panic or a fault of ours; waits of a run are the run's own.
type retryPolicy struct{}

// NextRetry implements [river.ClientRetryPolicy].
func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	n := min(len(job.Errors), 6)
	return time.Now().Add(time.Second << n)
}

// Jobs is the client with which this process enqueues.
func (w *Worker) Jobs() *jobs.Client { return w.engine.jobs }

// Start begins to work. ctx is for the start alone.
func (w *Worker) Start(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	if err := w.engine.jobs.River().Start(work); err != nil {
		stop()
		return fmt.Errorf("start queue client: %w", err)
	}
	w.stop = stop
	w.loops.Go(func() { w.engine.reconcile(work) })
	w.loops.Go(func() { w.engine.watchDown(work) })
	return nil
}

// Stop takes no new job and lets the running pages finish; when ctx ends, it breaks them off. Nothing is lost either way.
func (w *Worker) Stop(ctx context.Context) error {
	close(w.engine.stopping)
	err := w.engine.jobs.River().Stop(ctx)
	if err != nil {
		breakOff, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, w.engine.jobs.River().StopAndCancel(breakOff))
	}
	w.stop()
	w.loops.Wait()
	w.engine.kept.close()
	return err
}

// engine is what the workers share.
type engine struct {
	Options

	jobs     *jobs.Client
	byName   map[string]*providers.Provider
	stopping chan struct{} // closed when the process is asked to stop
	kept     keptSources
}

func (e *engine) isStopping() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}
