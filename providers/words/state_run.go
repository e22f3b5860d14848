package words

import (
	"slices"
	"time"
)

// Keys of a run's state.
const (
	RunCancelling          = "cancelling"
	RunWaitingProvider     = "waiting_provider"
	RunWaiting             = "waiting"
	RunRunning             = "running"
	RunFinished            = "finished"
	RunFinishedWithSkipped = "finished_with_skipped"
	RunDeletionsHeld       = "deletions_held"
	RunStoppedEarly        = "stopped_early"
	RunCancelled           = "cancelled"
	RunFailedRetrying      = "failed_retrying"
	RunFailedAct           = "failed_act"
	RunFailed              = "failed"
)

// flicker is how long a run in progress may be without a lease before it is
// said to wait: a slice that yields is claimed again sooner.
const flicker = 3 * time.Second

// RunFacts are the columns of a sync run that name its state.
type RunFacts struct {
	Status          string // integration_sync_logs.status
	CancelRequested bool
	WaitingUntil    time.Time
	WaitingReason   string
	LeaseUntil      time.Time // end of the last lease, also a past one; zero for none
	Outcome         string    // the most serious, see MostSerious
	ErrorCode       Code
	ErrorVariant    string
	NextSyncAt      time.Time // of the integration
	StartedAt       time.Time
	CompletedAt     time.Time
	Synced          int64
	Pages           int64
	Skipped         int64
	HeldDeletions   int64
	CountsMatch     bool // after a full run the provider's count was the same
	MissedTicks     int64
}

// RunState names the state of a run: the first row of the table that fits. It
// takes Provider, Account, Name, Count, Percent, Detail, Now and Zone from
// args; numbers and times of the run come from its facts.
func RunState(lang Lang, f RunFacts, args Args) State {
	key := f.key(args.Now)
	args.At, args.Until, args.Ago = f.NextSyncAt, f.WaitingUntil, f.StartedAt
	args.N, args.CountsMatch = f.number(key), f.CountsMatch
	if !f.CompletedAt.IsZero() && !f.StartedAt.IsZero() {
		args.Duration = f.CompletedAt.Sub(f.StartedAt)
	}

	s := state(lang, runStates, key, RunFailed, args)
	switch key {
	case RunWaiting, RunWaitingProvider:
		args.At = f.WaitingUntil
		s.Tooltip = WaitingReason(lang, f.WaitingReason, args)
	case RunDeletionsHeld, RunStoppedEarly:
		s.Tooltip = joined(s.Tooltip, f.skippedNote(lang, args))
	case RunFailedRetrying, RunFailedAct, RunFailed:
		s.Tooltip = ""
		if f.ErrorCode != "" {
			s.Tooltip = Render(lang, f.ErrorCode, f.ErrorVariant, args).Sentence
		}
	}
	s.Tooltip = joined(s.Tooltip, f.missedNote(lang, args))
	return s
}

func (f RunFacts) key(now time.Time) string {
	switch f.Status {
	case "pending", "in_progress":
		return f.activeKey(now)
	case "completed":
		switch f.Outcome {
		case RunDeletionsHeld, RunStoppedEarly, RunFinishedWithSkipped:
			return f.Outcome
		}
		return RunFinished
	}
	return f.failedKey()
}

func (f RunFacts) activeKey(now time.Time) string {
	unleased := f.LeaseUntil.IsZero() || now.Sub(f.LeaseUntil) > flicker
	switch {
	case f.CancelRequested:
		return RunCancelling
	case !f.WaitingUntil.IsZero() && waitsForProvider(f.WaitingReason):
		return RunWaitingProvider
	case f.Status == "pending" || unleased:
		return RunWaiting
	}
	return RunRunning
}

func (f RunFacts) failedKey() string {
	if f.ErrorCode == Cancelled {
		return RunCancelled
	}
	tenant := f.ErrorCode != "" && FactsOf(f.ErrorCode, f.ErrorVariant).Who == Tenant
	switch {
	case tenant:
		return RunFailedAct
	case !f.NextSyncAt.IsZero():
		return RunFailedRetrying
	}
	return RunFailed
}

// number is what {n} counts in a state.
func (f RunFacts) number(key string) *int64 {
	switch key {
	case RunRunning:
		return &f.Pages
	case RunFinishedWithSkipped:
		return &f.Skipped
	case RunDeletionsHeld:
		return &f.HeldDeletions
	}
	return &f.Synced
}

// skippedNote stands beside a more serious outcome.
func (f RunFacts) skippedNote(lang Lang, args Args) string {
	if f.Skipped == 0 {
		return ""
	}
	args.N = &f.Skipped
	return Render(lang, RecordSkipped, "", args).Title + "."
}

func (f RunFacts) missedNote(lang Lang, args Args) string {
	if f.MissedTicks == 0 {
		return ""
	}
	args.N = &f.MissedTicks
	return newRenderer(lang, args).piece(missedNote.in(lang)) + "."
}

// MostSerious picks the outcome that names a run of which several hold. It is
// [RunFinished] if none does.
func MostSerious(outcomes ...string) string {
	for _, worst := range []string{RunDeletionsHeld, RunStoppedEarly, RunFinishedWithSkipped} {
		if slices.Contains(outcomes, worst) {
			return worst
		}
	}
	return RunFinished
}
