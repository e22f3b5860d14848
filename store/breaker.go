package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// AccountKey names an account at a provider, as far as it is up or down.
type AccountKey struct{ Provider, Account string }

// Reach says whether a provider serves an account.
type Reach struct {
	Failures int  // calls in a row, of whichever worker, that got no answer or a fault of the provider's own
	Down     bool // so many that work waits until a probe is served
}

const readReach = `
SELECT coalesce(max(failures_in_row), 0), coalesce(bool_or(down_since IS NOT NULL), false) FROM rate_budgets
WHERE provider = $1 AND external_account_id = $2`

// Reach reads whether a provider serves an account.
func (s *Store) Reach(ctx context.Context, key AccountKey) (r Reach, err error) {
	if err := s.pool.QueryRow(ctx, readReach, key.Provider, key.Account).Scan(&r.Failures, &r.Down); err != nil {
		return r, fmt.Errorf("read reach of account: %w", err)
	}
	return r, nil
}

// DownAfter is how many calls in a row must fail before an account counts as down.
const DownAfter = 3

const noteUnserved = `
INSERT INTO rate_budgets AS b (provider, external_account_id, failures_in_row) VALUES ($1, $2, 1)
ON CONFLICT (provider, external_account_id) DO UPDATE SET failures_in_row = b.failures_in_row + 1,
    down_since = CASE WHEN b.failures_in_row + 1 >= $3 THEN coalesce(b.down_since, clock_timestamp()) END,
    probe_at = CASE WHEN b.failures_in_row + 1 >= $3 THEN greatest(b.probe_at, clock_timestamp() + $4::interval) END, updated_at = now()
RETURNING down_since IS NOT NULL`

// NoteUnserved counts a call that a provider did not serve. Down: it is one too many, and the account's work is to wait
// for a probe, the first of which goes after so long.
func (s *Store) NoteUnserved(ctx context.Context, tx pgx.Tx, key AccountKey, probeIn time.Duration) (down bool, err error) {
	if err := tx.QueryRow(ctx, noteUnserved, key.Provider, key.Account, DownAfter, probeIn).Scan(&down); err != nil {
		return false, fmt.Errorf("note unserved call: %w", err)
	}
	return down, nil
}

// claimProbes takes the accounts that have waited longest, so that all get their turn, however many are down at a time.
const claimProbes = `
WITH due AS (
    SELECT provider, external_account_id FROM rate_budgets WHERE down_since IS NOT NULL AND probe_at <= clock_timestamp()
    ORDER BY probe_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE rate_budgets b SET probe_at = clock_timestamp() + $2::interval FROM due
WHERE b.provider = due.provider AND b.external_account_id = due.external_account_id
RETURNING b.provider, b.external_account_id,
    (SELECT i.id FROM integrations i WHERE i.provider = b.provider AND i.status = 'connected'
       AND coalesce(i.external_account_id, i.id::text) = b.external_account_id LIMIT 1)`

// Probe is the right to ask an account that is down, until another may.
type Probe struct {
	AccountKey

	Integration *uuid.UUID // by which it is asked; nil: nobody works with the account any more
}

// ClaimProbes takes up to n probes that are due; the accounts' next ones are due after so long.
func (s *Store) ClaimProbes(ctx context.Context, n int, next time.Duration) ([]Probe, error) {
	return all(ctx, s.pool, "claim probes", func(row pgx.CollectableRow) (p Probe, err error) {
		err = row.Scan(&p.Provider, &p.Account, &p.Integration)
		return p, err
	}, claimProbes, n, next)
}

// noteServed frees the account, and whoever else was down at the same provider: it was hardly each for itself, and who
// still is not served is down again after a few calls.
const noteServed = `
WITH freed AS (
    UPDATE rate_budgets SET failures_in_row = 0, down_since = NULL, probe_at = NULL, updated_at = now()
    WHERE provider = $1 AND (external_account_id = $2 OR down_since IS NOT NULL AND $3) RETURNING external_account_id
)
SELECT i.id FROM integrations i JOIN freed f ON coalesce(i.external_account_id, i.id::text) = f.external_account_id
WHERE i.provider = $1 AND i.status = 'connected'`

const wakeDownRuns = `
WITH woken AS (
    UPDATE integration_sync_logs SET waiting_until = NULL, waiting_reason = 'queued', updated_at = clock_timestamp()
    WHERE integration_id = ANY ($1) AND status IN ('pending', 'in_progress') AND after_run_id IS NULL AND waiting_reason = $2 RETURNING job_id
)
UPDATE river.river_job j SET state = 'available', scheduled_at = now() FROM woken w
WHERE j.id = w.job_id AND j.state IN ('available', 'scheduled', 'retryable')`

const wakeDownQueues = `
WITH woken AS (
    UPDATE change_queues SET waiting_until = NULL, waiting_reason = NULL WHERE integration_id = ANY ($1) AND waiting_reason = $2 RETURNING job_id
)
UPDATE river.river_job j SET state = 'available', scheduled_at = now() FROM woken w
WHERE j.id = w.job_id AND j.state IN ('available', 'scheduled', 'retryable')`

// NoteServed notes that a provider has served an account again: what waits with the reason given goes on at once. wide
// says that the account was down: others of the provider then go on as well.
func (s *Store) NoteServed(ctx context.Context, key AccountKey, wide bool, reason string) error {
	err := s.Tx(ctx, func(tx pgx.Tx) error {
		freed, err := all(ctx, tx, "free accounts", pgx.RowTo[uuid.UUID], noteServed, key.Provider, key.Account, wide)
		if err != nil || !wide {
			return err
		}
		for _, sql := range []string{wakeDownRuns, wakeDownQueues} {
			if _, err := tx.Exec(ctx, sql, freed, reason); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note served call: %w", err)
	}
	return nil
}
