package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"example.com/enlace/store"
)

// The queues of what providers tell us by themselves.
const (
	QueueInbox   = "inbox"
	QueueChanges = "changes"
)

// InboxArgs is the round that works through the inbox. Each transaction that adds to it queues one; a round ends those
// that wait behind it with the same work.
type InboxArgs struct{}

// Kind is River's name of the job.
func (InboxArgs) Kind() string { return "webhook_inbox" }

// InsertOpts sends the rounds to their own queue.
func (InboxArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueInbox, MaxAttempts: maxAttempts}
}

// ChangesArgs names an integration whose changed records are to be read.
type ChangesArgs struct {
	IntegrationID uuid.UUID `json:"integration_id"`
}

// Kind is River's name of the job.
func (ChangesArgs) Kind() string { return "contact_changes" }

// InsertOpts sends the jobs to their own queue. They are not unique for River: the integration's queue row is the guard.
func (ChangesArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueChanges, MaxAttempts: maxAttempts}
}

// SubscribeArgs is the round that makes, looks after and renews subscriptions to notifications.
type SubscribeArgs struct{}

// Kind is River's name of the job.
func (SubscribeArgs) Kind() string { return "webhook_subscribe" }

// InsertOpts makes the round unique while one is on its way.
func (SubscribeArgs) InsertOpts() river.InsertOpts { return controlOnce() }

// requested_by of the runs that change notices start.
const (
	Noticed   = "notices"     // it reads what many of them speak of
	CoversGap = "notices_gap" // it reads what was missed while there were none
)

// Interactive reports whether somebody waits for what a run does, by its requested_by: schedules and notices don't.
func Interactive(requestedBy string) bool {
	return requestedBy != Scheduled && requestedBy != Noticed && requestedBy != CoversGap
}

// Subscribe begins a round of subscriptions now, for an account that has just been connected.
func (c *Client) Subscribe(ctx context.Context) error {
	if _, err := c.river.Insert(ctx, SubscribeArgs{}, nil); err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	return nil
}

// Receive puts verified deliveries into the inbox, with the job that works through it, in one transaction.
func (c *Client) Receive(ctx context.Context, list []store.Delivery) (receipts []store.Receipt, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		if receipts, err = c.store.ReceiveDeliveries(ctx, tx, list); err != nil || !slices.Contains(receipts, store.DeliveryStored) {
			return err
		}
		return c.insertInbox(ctx, tx)
	})
	return receipts, err
}

func (c *Client) insertInbox(ctx context.Context, tx pgx.Tx) error {
	if _, err := c.river.InsertTx(ctx, tx, InboxArgs{}, nil); err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	return nil
}

// WorkInbox processes up to n deliveries in one transaction, for the round whose job it is: which records they speak of is
// noted, and whoever is to read them has a job. It returns how many there were; fewer than n were all that nobody else has.
func (c *Client) WorkInbox(ctx context.Context, job int64, n int, settling store.Settling) (taken int, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		waiting, err := c.store.HoldQueuedJobs(ctx, tx, InboxArgs{}.Kind(), job)
		if err != nil {
			return err
		}
		list, err := c.store.TakeDeliveries(ctx, tx, n)
		if err != nil {
			return err
		}
		if taken = len(list); taken < n {
			if err := c.store.EndQueuedJobs(ctx, tx, waiting); err != nil {
				return err
			}
		}
		idle, err := c.store.NoteChanges(ctx, tx, list, settling)
		if err != nil {
			return err
		}
		for _, integration := range idle {
			if err := c.startChanges(ctx, tx, integration); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}

// startChanges gives an integration's pending changes a new job, which waits by itself until they are due: by the
// database's clock, and without River's scheduler, which looks every five seconds.
func (c *Client) startChanges(ctx context.Context, tx pgx.Tx, integration uuid.UUID) error {
	res, err := c.river.InsertTx(ctx, tx, ChangesArgs{IntegrationID: integration}, nil)
	if err != nil {
		return fmt.Errorf("insert job: %w", err)
	}
	return c.store.AttachChangesJob(ctx, tx, integration, res.Job.ID)
}

// WakeInbox queues a round if deliveries wait that no job will look at, because their worker is lost.
func (c *Client) WakeInbox(ctx context.Context) (woken bool, err error) {
	if woken, err = c.store.InboxStands(ctx, InboxArgs{}.Kind()); err != nil || !woken {
		return false, err
	}
	return true, c.store.Tx(ctx, func(tx pgx.Tx) error { return c.insertInbox(ctx, tx) })
}

// TakeOverChanges gives pending changes that nobody works on a new job; taken is false if somebody was faster.
func (c *Client) TakeOverChanges(ctx context.Context, integration uuid.UUID) (taken bool, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		job, stray, err := c.store.JudgeQueue(ctx, tx, integration)
		if err != nil || !stray {
			return err
		}
		taken = true
		if job != 0 {
			if err := c.store.EndJob(ctx, tx, job, "discarded", "worker lost"); err != nil {
				return err
			}
		}
		return c.startChanges(ctx, tx, integration)
	})
	return taken && err == nil, err
}

// ReplaceChanges lets one incremental run read what has changed, instead of reading each record; records that were deleted
// stay, which no list of changes shows. Such runs begin some time apart: wait says how long the next one must wait, and
// nothing changed. Errors: [*InactiveError], [store.ErrLost].
func (c *Client) ReplaceChanges(ctx context.Context, claim store.ChangesClaim, apart time.Duration) (replaced int64, wait time.Duration, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		in, err := c.store.LockIntegration(ctx, tx, nil, claim.IntegrationID)
		if err != nil {
			return err
		}
		if in.Status != store.Connected {
			return &InactiveError{in.Status}
		}
		if err := c.store.HoldChanges(ctx, tx, claim); err != nil {
			return err
		}
		ago, found, err := c.store.RunWithin(ctx, tx, in.ID, Noticed, apart)
		if err != nil {
			return err
		}
		if found {
			wait = max(apart-ago, time.Second)
			return nil
		}
		if replaced, err = c.store.DropListedChanges(ctx, tx, in.ID); err != nil {
			return err
		}
		_, err = c.CreateRun(ctx, tx, in, store.NewRun{SyncType: store.Incremental, RequestedBy: Noticed})
		return err
	})
	return replaced, wait, err
}
