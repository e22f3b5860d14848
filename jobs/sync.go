package jobs

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"example.com/enlace/store"
)

// The queues. Those with people waiting behind them are apart from those without.
const (
	QueueSync    = "sync"
	QueueControl = "control"
)

// maxAttempts only guards against panics: waits of a run are counted on the run.
const maxAttempts = 25

// SyncArgs names a sync run and nothing else: progress and checkpoint are the run's.
type SyncArgs struct {
	RunID uuid.UUID `json:"run_id"`
}

// Kind is River's name of the job.
func (SyncArgs) Kind() string { return "contacts_sync" }

// InsertOpts sends sync jobs to their own queue. They are not unique for River: the run's indexes are the guard. A slice
// that yields goes behind those that wait; see [store.PriorityFirst] for what comes before them.
func (SyncArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueSync, MaxAttempts: maxAttempts, Priority: store.PriorityInTurn}
}

// ScheduleArgs is the tick that starts what is due.
type ScheduleArgs struct{}

// Kind is River's name of the job.
func (ScheduleArgs) Kind() string { return "schedule" }

// InsertOpts makes the tick unique while one is on its way.
func (ScheduleArgs) InsertOpts() river.InsertOpts { return controlOnce() }

// RefreshArgs is the round that renews tokens before they expire, and keeps alive those that die unused.
type RefreshArgs struct{}

// Kind is River's name of the job.
func (RefreshArgs) Kind() string { return "token_refresh" }

// InsertOpts makes the round unique while one is on its way.
func (RefreshArgs) InsertOpts() river.InsertOpts { return controlOnce() }

// RetainArgs is the round that removes what is older than its retention.
type RetainArgs struct{}

// Kind is River's name of the job.
func (RetainArgs) Kind() string { return "retain" }

// InsertOpts makes the round unique while one is on its way.
func (RetainArgs) InsertOpts() river.InsertOpts { return controlOnce() }

func controlOnce() river.InsertOpts {
	return river.InsertOpts{Queue: QueueControl, MaxAttempts: 3, UniqueOpts: river.UniqueOpts{ByQueue: true, ByState: liveStates()}}
}

// Rounds are the kinds of jobs that look for what there is to do and never wait themselves.
func Rounds() []string {
	return []string{ScheduleArgs{}.Kind(), RefreshArgs{}.Kind(), RetainArgs{}.Kind(), SubscribeArgs{}.Kind(), InboxArgs{}.Kind()}
}
