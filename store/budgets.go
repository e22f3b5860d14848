package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

// Budget is what a provider said of an account's limits. It belongs to the account at the provider: integrations of
// several tenants may share it.
type Budget struct {
	BurstLimit     *int64
	BurstWindow    time.Duration
	DailyLimit     *int64
	DailyRemaining *int64
	LimitedInRow   int
	BlockedFor     time.Duration // from now on, by the database's clock; 0: not blocked
	Reason         string
}

const readBudget = `
SELECT burst_limit, coalesce(burst_window_ms, 0), daily_limit, daily_remaining, limited_in_row,
    greatest(coalesce(blocked_until - clock_timestamp(), interval '0'), interval '0'), coalesce(reason, '')
FROM rate_budgets WHERE provider = $1 AND external_account_id = $2`

// Budget reads an account's limits; the zero value if none were reported.
func (s *Store) Budget(ctx context.Context, provider, account string) (b Budget, err error) {
	var window int64
	err = s.pool.QueryRow(ctx, readBudget, provider, account).Scan(&b.BurstLimit, &window, &b.DailyLimit, &b.DailyRemaining,
		&b.LimitedInRow, &b.BlockedFor, &b.Reason)
	if errors.Is(err, pgx.ErrNoRows) {
		return Budget{}, nil
	}
	if err != nil {
		return b, fmt.Errorf("read rate budget: %w", err)
	}
	b.BurstWindow = time.Duration(window) * time.Millisecond
	return b, nil
}

const noteUsage = `
INSERT INTO rate_budgets AS b (provider, external_account_id, burst_limit, burst_window_ms, daily_limit, daily_remaining)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (provider, external_account_id) DO UPDATE SET burst_limit = coalesce(excluded.burst_limit, b.burst_limit),
    burst_window_ms = coalesce(excluded.burst_window_ms, b.burst_window_ms), daily_limit = coalesce(excluded.daily_limit, b.daily_limit),
    daily_remaining = coalesce(excluded.daily_remaining, b.daily_remaining),
    limited_in_row = CASE WHEN $7 THEN 0 ELSE b.limited_in_row END, updated_at = now()`

const addSpending = `
INSERT INTO rate_spending AS s (provider, external_account_id, hour, spent) VALUES ($1, $2, date_trunc('hour', now()), $3)
ON CONFLICT (provider, external_account_id, hour) DO UPDATE SET spent = s.spent + excluded.spent`

// NoteUsage notes what answers said of an account's limits, and what they cost it; done ends a row of refusals.
func (s *Store) NoteUsage(ctx context.Context, tx pgx.Tx, provider, account string, u providers.Usage, done bool) error {
	var window *int64
	if u.BurstLimit != nil {
		ms := u.BurstWindow.Milliseconds()
		window = &ms
	}
	if _, err := tx.Exec(ctx, noteUsage, provider, account, u.BurstLimit, window, u.DailyLimit, u.DailyRemaining, done); err != nil {
		return fmt.Errorf("note usage: %w", err)
	}
	if u.Spent == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, addSpending, provider, account, u.Spent); err != nil {
		return fmt.Errorf("note spending: %w", err)
	}
	return nil
}

const blockAccount = `
INSERT INTO rate_budgets AS b (provider, external_account_id, limited_in_row, blocked_until, reason)
VALUES ($1, $2, 1, clock_timestamp() + $3, $4)
ON CONFLICT (provider, external_account_id) DO UPDATE SET limited_in_row = CASE WHEN $5 THEN 0 ELSE b.limited_in_row END + 1,
    blocked_until = greatest(b.blocked_until, excluded.blocked_until), reason = excluded.reason, updated_at = now()
RETURNING limited_in_row`

// BlockAccount notes that a provider wants no call of an account for so long, whichever worker asks; it returns how many
// refusals in a row there were. answered says that the provider has answered since the last one.
func (s *Store) BlockAccount(ctx context.Context, tx pgx.Tx, provider, account string, d time.Duration, reason string, answered bool) (inRow int, err error) {
	if err := tx.QueryRow(ctx, blockAccount, provider, account, d, reason, answered).Scan(&inRow); err != nil {
		return 0, fmt.Errorf("block account: %w", err)
	}
	return inRow, nil
}

const unblockAccount = `
UPDATE rate_budgets SET limited_in_row = 0, blocked_until = NULL, reason = NULL, updated_at = now()
WHERE provider = $1 AND external_account_id = $2`

// UnblockAccount notes that a provider has answered a call of an account that was blocked.
func (s *Store) UnblockAccount(ctx context.Context, provider, account string) error {
	if _, err := s.pool.Exec(ctx, unblockAccount, provider, account); err != nil {
		return fmt.Errorf("unblock account: %w", err)
	}
	return nil
}
