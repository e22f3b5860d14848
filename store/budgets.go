package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

// BudgetKey names what an account's calls are paid from: its budget at the provider, which integrations of several
// tenants may share.
type BudgetKey struct{ Provider, Account string }

// BudgetOf names what an account's calls are paid from.
func BudgetOf(p *providers.Provider, account string) BudgetKey {
	if p.Limits.Budget != nil {
		account = p.Limits.Budget(account)
	}
	return BudgetKey{Provider: p.Name, Account: account}
}

// Budget is what is known of an account's limits.
type Budget struct {
	BurstLimit  *int64
	BurstWindow time.Duration
	BlockedFor  time.Duration // from now on, by the database's clock; 0: not blocked
	Reason      string
}

const openBudget = `
INSERT INTO rate_budgets (provider, external_account_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`

const readBudget = `
SELECT burst_limit, coalesce(burst_window_ms, 0), greatest(coalesce(blocked_until - clock_timestamp(), interval '0'), interval '0'),
    coalesce(reason, '')
FROM rate_budgets WHERE provider = $1 AND external_account_id = $2`

// Budget reads an account's limits, and makes room for what will be reported.
func (s *Store) Budget(ctx context.Context, key BudgetKey) (b Budget, err error) {
	var window int64
	read := func() error {
		return s.pool.QueryRow(ctx, readBudget, key.Provider, key.Account).Scan(&b.BurstLimit, &window, &b.BlockedFor, &b.Reason)
	}
	if err = read(); errors.Is(err, pgx.ErrNoRows) {
		if _, err = s.pool.Exec(ctx, openBudget, key.Provider, key.Account); err == nil {
			err = read()
		}
	}
	if err != nil {
		return b, fmt.Errorf("read rate budget: %w", err)
	}
	b.BurstWindow = time.Duration(window) * time.Millisecond
	return b, nil
}

// The parts of a budget. The account belongs to the tenant's other tools as well.
const (
	// QuotaShare is the part of a burst limit that we use.
	QuotaShare = 0.8
	// QuotaReserve is the part of a daily budget that scheduled work leaves to people and to other tools.
	QuotaReserve = 0.2
	// MostTracked bounds the calls of a window that are noted one by one. More than that nobody here makes.
	MostTracked = 1000
)

// Payment is what is asked of a budget before a call: Cost, in the provider's own unit. It brings along what earlier
// answers have told.
type Payment struct {
	Cost        int64
	Interactive bool            // it may use the reserve
	Settled     int64           // the cost of calls that have been answered since the last payment
	Told        providers.Usage // by their answers, the newest of each member
	ResetsIn    time.Duration   // when the daily budget comes back

	// What holds until the provider reports a burst limit: so many calls in so long; 0: any number.
	Calls  int64
	Window time.Duration
}

// The reasons for which a budget refuses a payment, beside those for which an account is blocked.
const (
	RefusedPace    = "pace"            // for a moment: the window is full
	RefusedReserve = "reserve"         // what is left is for people
	RefusedQuota   = "quota_exhausted" // nothing is left
)

// believed says that a reported rest is taken over. Answers of several workers overtake each other: of two, the smaller one
// is the later, unless it was told a while ago, since when somebody may have bought more, or some has come back.
const believed = `($9::bigint IS NOT NULL AND ($9 <= daily_remaining OR daily_remaining IS NULL OR (daily_resets_at > clock_timestamp()) IS NOT TRUE
    OR daily_told_at < clock_timestamp() - interval '1 min') IS NOT FALSE)`

// pay decides and notes in one statement, since it stands before every call. What was paid by somebody who died before
// the answer is forgotten within two minutes. Losing the last moment of it all in a crash of the database costs nothing,
// so the commit doesn't wait for the disk.
const pay = `
WITH b AS MATERIALIZED (
    SELECT provider, external_account_id, clock_timestamp() AS at, set_config('synchronous_commit', 'off', true), sent, blocked_until, reason,
        coalesce($6::bigint, burst_limit) AS burst_limit, coalesce($7::bigint, burst_window_ms) AS burst_window_ms,
        coalesce($8::bigint, daily_limit) AS daily_limit, greatest(daily_peak, $9::bigint) AS daily_peak,
        ` + believed + ` AS believed, daily_told_at,
        CASE WHEN ` + believed + ` THEN $9 WHEN daily_resets_at > clock_timestamp() AND $9 IS NULL THEN greatest(daily_remaining - $5::bigint, 0)
            WHEN daily_resets_at > clock_timestamp() THEN daily_remaining END AS daily_remaining,
        CASE WHEN $9::bigint IS NOT NULL THEN clock_timestamp() + $10::interval ELSE daily_resets_at END AS daily_resets_at,
        pending_at > clock_timestamp() - interval '2 min' AND (daily_resets_at > clock_timestamp()) IS NOT FALSE AS counts, pending_at, pending
    FROM rate_budgets WHERE provider = $1 AND external_account_id = $2 FOR NO KEY UPDATE
), d AS (
    SELECT *, CASE WHEN counts THEN greatest(pending - $5::bigint, 0) ELSE 0 END AS unanswered, CASE WHEN counts THEN pending_at ELSE at END AS since,
        CASE WHEN burst_limit > 0 THEN greatest(floor(burst_limit * $13::float8), 1)::bigint ELSE nullif($11::bigint, 0) END AS most,
        CASE WHEN burst_limit > 0 THEN burst_window_ms * interval '1 ms' ELSE $12::interval END AS span,
        daily_remaining - CASE WHEN counts THEN greatest(pending - $5::bigint, 0) ELSE 0 END - $3::bigint AS rest,
        CASE WHEN $4::boolean THEN 0 ELSE $14::float8 * coalesce(daily_limit, daily_peak, 0) END AS kept
    FROM b
), e AS (
    SELECT *, ARRAY(SELECT t FROM unnest(sent) AS t WHERE t > at - span ORDER BY t) AS recent FROM d
), f AS (
    SELECT *, CASE
        WHEN blocked_until > at THEN reason
        WHEN rest < 0 THEN 'quota_exhausted'
        WHEN rest < kept THEN 'reserve'
        WHEN most <= $15 AND cardinality(recent) >= most THEN 'pace' END AS why
    FROM e
)
UPDATE rate_budgets r SET burst_limit = f.burst_limit, burst_window_ms = f.burst_window_ms, daily_limit = f.daily_limit, daily_peak = f.daily_peak,
    daily_remaining = f.daily_remaining, daily_resets_at = f.daily_resets_at, daily_told_at = CASE WHEN f.believed THEN f.at ELSE f.daily_told_at END,
    sent = CASE WHEN f.most <= $15 THEN CASE WHEN f.why IS NULL THEN f.recent || f.at ELSE f.recent END ELSE '{}' END,
    pending = f.unanswered + CASE WHEN f.why IS NULL THEN $3::bigint ELSE 0 END, pending_at = f.since, updated_at = now()
FROM f WHERE r.provider = f.provider AND r.external_account_id = f.external_account_id
RETURNING coalesce(f.why, ''), greatest(CASE
    WHEN f.why IS NULL THEN interval '0'
    WHEN f.blocked_until > f.at THEN f.blocked_until - f.at
    WHEN f.why = 'pace' THEN f.recent[cardinality(f.recent) - f.most::int + 1] + f.span - f.at
    ELSE f.daily_resets_at - f.at END, interval '0'), cardinality(f.recent)`

// Pay pays for a call before it is made, from a budget that all workers share. It is refused, for a time and a reason,
// where the account is blocked, the window is full, or the day's budget is down to what others are to have.
// InWindow is how many calls were paid in the window before.
func (s *Store) Pay(ctx context.Context, key BudgetKey, p Payment) (refused Wait, inWindow int64, err error) {
	for {
		err = s.pool.QueryRow(ctx, pay, key.Provider, key.Account, p.Cost, p.Interactive, p.Settled, p.Told.BurstLimit, windowOf(p.Told), p.Told.DailyLimit,
			p.Told.DailyRemaining, p.ResetsIn, p.Calls, p.Window, QuotaShare, QuotaReserve, MostTracked).Scan(&refused.Reason, &refused.For, &inWindow)
		if !errors.Is(err, pgx.ErrNoRows) {
			break
		}
		if _, err = s.pool.Exec(ctx, openBudget, key.Provider, key.Account); err != nil {
			break
		}
	}
	if err != nil {
		return refused, 0, fmt.Errorf("pay for a call: %w", err)
	}
	return refused, inWindow, nil
}

// windowOf is the window of a reported burst limit, in milliseconds.
func windowOf(u providers.Usage) *int64 {
	if u.BurstLimit == nil {
		return nil
	}
	ms := u.BurstWindow.Milliseconds()
	return &ms
}

const settleUsage = `
INSERT INTO rate_budgets AS b (provider, external_account_id, burst_limit, burst_window_ms, daily_limit, daily_remaining, daily_peak, daily_resets_at)
VALUES ($1, $2, $3, $4, $5, $6, $6, CASE WHEN $6::bigint IS NOT NULL THEN clock_timestamp() + $8::interval END)
ON CONFLICT (provider, external_account_id) DO UPDATE SET burst_limit = coalesce(excluded.burst_limit, b.burst_limit),
    burst_window_ms = coalesce(excluded.burst_window_ms, b.burst_window_ms), daily_limit = coalesce(excluded.daily_limit, b.daily_limit),
    daily_remaining = CASE WHEN excluded.daily_remaining IS NULL THEN greatest(b.daily_remaining - $9, 0)
        WHEN b.daily_resets_at > clock_timestamp() AND b.daily_told_at > clock_timestamp() - interval '1 min'
            THEN least(excluded.daily_remaining, b.daily_remaining) ELSE excluded.daily_remaining END, daily_peak = greatest(b.daily_peak, excluded.daily_peak),
    daily_resets_at = coalesce(excluded.daily_resets_at, b.daily_resets_at), pending = greatest(b.pending - $9, 0),
    limited_in_row = CASE WHEN $7 THEN 0 ELSE b.limited_in_row END, updated_at = now()`

const addSpending = `
INSERT INTO rate_spending AS s (provider, external_account_id, hour, spent) VALUES ($1, $2, date_trunc('hour', now()), $3)
ON CONFLICT (provider, external_account_id, hour) DO UPDATE SET spent = s.spent + excluded.spent`

// NoteUsage notes what answers said of an account's limits, and what they cost it, where no payment follows that would;
// done ends a row of refusals.
func (s *Store) NoteUsage(ctx context.Context, tx pgx.Tx, key BudgetKey, p Payment, spent int64, done bool) error {
	if _, err := tx.Exec(ctx, settleUsage, key.Provider, key.Account, p.Told.BurstLimit, windowOf(p.Told), p.Told.DailyLimit, p.Told.DailyRemaining,
		done, p.ResetsIn, p.Settled); err != nil {
		return fmt.Errorf("note usage: %w", err)
	}
	if spent == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, addSpending, key.Provider, key.Account, spent); err != nil {
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
func (s *Store) BlockAccount(ctx context.Context, tx pgx.Tx, key BudgetKey, d time.Duration, reason string, answered bool) (inRow int, err error) {
	if err := tx.QueryRow(ctx, blockAccount, key.Provider, key.Account, d, reason, answered).Scan(&inRow); err != nil {
		return 0, fmt.Errorf("block account: %w", err)
	}
	return inRow, nil
}
