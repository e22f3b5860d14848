package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/store/rules"
)

// noteDeleted is the page's own statement: the run goes on from the checkpoint behind it.
const noteDeleted = `
UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4, checkpoint = $5, api_calls = api_calls + $6,
    quota_used = quota_used + $7, failures_in_row = 0, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

// CommitDeleted notes the entries of a page of a provider's list of deletions: those whose rows live are asked for. It
// sets Moved in the claim's checkpoint where they show that records moved under the walk. [ErrLost] as everywhere.
func (s *Store) CommitDeleted(ctx context.Context, c *Claim, ids []string, spent Spent) error {
	before := c.Checkpoint
	err := s.Tx(ctx, func(tx pgx.Tx) error {
		var marks map[string]*rules.Row
		batch := new(pgx.Batch)
		batch.Queue(renew, c.RunID, c.Fence, c.Job, s.lease)
		batch.Queue(readMarks, c.IntegrationID, ids).Query(func(rows pgx.Rows) (err error) {
			marks, err = collectMarks(rows, c.RunID)
			return err
		})
		if err := sendFenced(ctx, tx, batch); err != nil {
			return err
		}
		var asks []string
		for _, id := range ids {
			ask, moved := rules.FeedEntry(marks[id], c.Checkpoint.First)
			c.Checkpoint.Moved = c.Checkpoint.Moved || moved
			if ask {
				asks = append(asks, id)
			}
		}
		batch = new(pgx.Batch)
		batch.Queue(noteDeleted, c.RunID, c.Fence, c.Job, s.lease, c.Checkpoint, spent.Calls, spent.Quota)
		if len(asks) > 0 {
			batch.Queue(insertAsks, c.RunID, asks, make([]bool, len(asks)))
		}
		return sendFenced(ctx, tx, batch)
	})
	if err != nil {
		c.Checkpoint = before
		if !errors.Is(err, ErrLost) {
			return fmt.Errorf("note deletions: %w", err)
		}
	}
	return err
}

const metTwice = `
SELECT count(*) > count(DISTINCT id) FROM sync_run_pages, unnest(external_ids) AS id WHERE run_id = $1`

// MetTwice reports whether a record was in two of the pages that are remembered of the run's walk.
func (s *Store) MetTwice(ctx context.Context, run uuid.UUID) (twice bool, err error) {
	if err := s.pool.QueryRow(ctx, metTwice, run).Scan(&twice); err != nil {
		return false, fmt.Errorf("look for records met twice: %w", err)
	}
	return twice, nil
}
