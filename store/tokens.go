package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers/words"
)

// Tokens is what an integration's row says of its tokens, which are sealed, as the vault wrote them. Empty: none.
type Tokens struct {
	ID                uuid.UUID
	TenantID          uuid.UUID
	Provider          string
	Status            string
	StatusReason      string
	ExternalAccountID string
	APIDomain         string
	AuthServer        string
	AccessToken       string
	RefreshToken      string
	Generation        int64 // grows with each new pair of tokens

	Fresh  bool // the access token has longer than TokenAges.Early to live, or nobody knows how long
	Usable bool // it has longer than TokenAges.Spare
	Busy   bool // somebody refreshes
	Tried  bool // somebody does, or gave up in the last TokenAges.Rest
}

// TokenAges are the spans that [Store.Tokens] judges by, on the database's clock.
type TokenAges struct {
	Early time.Duration // before its end, a token is refreshed
	Spare time.Duration // before its end, a token is still sent if there is no other
	Rest  time.Duration // after a refresh that failed
}

const readStored = `
SELECT id, tenant_id, provider, status, coalesce(status_reason, ''), coalesce(external_account_id, ''), coalesce(api_domain, ''),
    coalesce(auth_server, ''), coalesce(access_token, ''), coalesce(refresh_token, ''), token_generation,
    access_token <> '' IS TRUE AND (expires_at IS NULL OR expires_at > clock_timestamp() + $2::interval),
    access_token <> '' IS TRUE AND (expires_at IS NULL OR expires_at > clock_timestamp() + $3::interval),
    coalesce(refresh_lease_until > clock_timestamp(), false),
    coalesce(refresh_lease_until > clock_timestamp() - $4::interval, false)
FROM integrations WHERE id = $1`

// Tokens reads an integration's tokens; [ErrNotFound] if there is no such integration.
func (s *Store) Tokens(ctx context.Context, id uuid.UUID, ages TokenAges) (Tokens, error) {
	return single(ctx, s.pool, "read tokens", pgx.RowToStructByPos[Tokens], readStored, id, ages.Early, ages.Spare, ages.Rest)
}

// RefreshLease is the right to speak to the token host for one generation. The value of Until is its holder's mark.
type RefreshLease struct {
	Until        time.Time
	RefreshToken string // sealed; empty: there is none

	// DoubtedFor is how long ago the host first refused this generation in a way that is doubted; nil: it hasn't.
	DoubtedFor *time.Duration

	// TakenOver says that an earlier holder left without a settled answer: its exchange may still be under way, or have
	// used up the refresh token.
	TakenOver bool
}

// takeRefresh takes the lease. One that is past but not null was left by an exchange whose end nobody knows.
const takeRefresh = `
UPDATE integrations i SET refresh_lease_until = clock_timestamp() + $3::interval
FROM (SELECT id, refresh_lease_until AS before FROM integrations WHERE id = $1 FOR NO KEY UPDATE) old
WHERE i.id = old.id AND i.token_generation = $2 AND i.status = 'connected'
  AND (i.refresh_lease_until IS NULL OR i.refresh_lease_until < clock_timestamp())
RETURNING coalesce(i.refresh_token, ''), i.refresh_lease_until, old.before IS NOT NULL, clock_timestamp() - i.refresh_doubted_at`

// TakeRefresh takes the lease on a generation; false if it isn't free, or the row isn't connected at that generation.
func (s *Store) TakeRefresh(ctx context.Context, id uuid.UUID, generation int64, span time.Duration) (l RefreshLease, taken bool, err error) {
	err = s.pool.QueryRow(ctx, takeRefresh, id, generation, span).Scan(&l.RefreshToken, &l.Until, &l.TakenOver, &l.DoubtedFor)
	if errors.Is(err, pgx.ErrNoRows) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("take refresh: %w", err)
	}
	return l, true, nil
}

// NewTokens is a pair of tokens to store, sealed for its row, with what came beside it.
type NewTokens struct {
	AccessToken  string
	RefreshToken string         // empty: none came, the old one stays
	Lifetime     *time.Duration // of the access token, from now; nil: unknown
	Scopes       []string       // nil: the old ones stay
	APIDomain    string         // empty: the old one stays
	AuthServer   string         // of the grant; a refresh leaves the stored one
}

// storeRefresh asks for the generation only: a late success is as good as any.
const storeRefresh = `
UPDATE integrations SET access_token = $3, refresh_token = coalesce(nullif($4, ''), refresh_token),
    expires_at = clock_timestamp() + $5::interval, scopes = coalesce($6::text[], scopes), api_domain = coalesce(nullif($7, ''), api_domain),
    token_generation = token_generation + 1, refresh_lease_until = NULL, refresh_doubted_at = NULL, refreshed_at = clock_timestamp(),
    status_reason = CASE status WHEN 'needs_reauth' THEN NULL ELSE status_reason END,
    status = CASE status WHEN 'needs_reauth' THEN 'connected' ELSE status END
WHERE id = $1 AND token_generation = $2`

// StoreRefresh stores what a refresh of the generation brought, whoever holds the lease by now. It lifts needs_reauth and
// closes its incident. False: a later generation is there, and nothing changed.
func (s *Store) StoreRefresh(ctx context.Context, id uuid.UUID, generation int64, t NewTokens) (stored bool, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, storeRefresh, id, generation, t.AccessToken, t.RefreshToken, t.Lifetime, t.Scopes, t.APIDomain)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		stored = true
		return s.CloseIncidents(ctx, tx, id, NeedsReauth)
	})
	if err != nil {
		return false, fmt.Errorf("store refresh: %w", err)
	}
	return stored, nil
}

// leaveRefresh ends a lease that is still its holder's: null if the host surely did nothing, else in the past.
const leaveRefresh = `
UPDATE integrations SET refresh_lease_until = CASE WHEN $4 THEN NULL ELSE clock_timestamp() END
WHERE id = $1 AND token_generation = $2 AND refresh_lease_until = $3`

// LeaveRefresh ends a lease without new tokens. Settled says that the host has answered and used nothing up; otherwise
// whoever takes the lease next has taken over.
func (s *Store) LeaveRefresh(ctx context.Context, id uuid.UUID, generation int64, lease time.Time, settled bool) error {
	if _, err := s.pool.Exec(ctx, leaveRefresh, id, generation, lease, settled); err != nil {
		return fmt.Errorf("leave refresh: %w", err)
	}
	return nil
}

const doubtRefresh = `
UPDATE integrations SET refresh_lease_until = clock_timestamp(), refresh_doubted_at = coalesce(refresh_doubted_at, clock_timestamp())
WHERE id = $1 AND token_generation = $2 AND refresh_lease_until = $3`

// DoubtRefresh ends a lease, unsettled, after a refusal that is to be heard once more before it is believed.
func (s *Store) DoubtRefresh(ctx context.Context, id uuid.UUID, generation int64, lease time.Time) error {
	if _, err := s.pool.Exec(ctx, doubtRefresh, id, generation, lease); err != nil {
		return fmt.Errorf("doubt refresh: %w", err)
	}
	return nil
}

// extendRefresh keeps the lease while a doubtful refusal is waited out.
const extendRefresh = `
UPDATE integrations SET refresh_lease_until = clock_timestamp() + $4::interval
WHERE id = $1 AND token_generation = $2 AND refresh_lease_until = $3 RETURNING refresh_lease_until`

// ExtendRefresh prolongs the lease, whose mark is then the returned one; false if it is lost, or its generation is past.
func (s *Store) ExtendRefresh(ctx context.Context, id uuid.UUID, generation int64, lease time.Time, by time.Duration) (until time.Time, held bool, err error) {
	err = s.pool.QueryRow(ctx, extendRefresh, id, generation, lease, by).Scan(&until)
	if errors.Is(err, pgx.ErrNoRows) {
		return until, false, nil
	}
	if err != nil {
		return until, false, fmt.Errorf("extend refresh: %w", err)
	}
	return until, true, nil
}

// Refusal is why tokens are no longer accepted.
type Refusal struct {
	Variant string // of needs_reauth
	Detail  string // the provider's own words, secrets cut out
}

const refuseRefresh = `
UPDATE integrations SET status = 'needs_reauth', status_reason = nullif($4, ''), refresh_lease_until = NULL
WHERE id = $1 AND token_generation = $2 AND refresh_lease_until = $3 AND status = 'connected'`

// RefuseRefresh believes the host's refusal of a generation: the integration needs reconnection, one incident is open, and
// what it had open ends, all at once. False: the lease or the generation is past, and nothing changed.
func (s *Store) RefuseRefresh(ctx context.Context, id uuid.UUID, generation int64, lease time.Time, r Refusal) (bool, error) {
	return s.requireReauth(ctx, id, r, refuseRefresh, id, generation, lease, r.Variant)
}

const refuseTokens = `
UPDATE integrations SET status = 'needs_reauth', status_reason = nullif($3, ''), refresh_lease_until = NULL
WHERE id = $1 AND token_generation = $2 AND status = 'connected'`

// RefuseTokens is [Store.RefuseRefresh] for tokens that the provider's API itself refuses, such as a second 401: no lease
// is needed, as nothing was exchanged. False: there is a later generation, or the row isn't connected.
func (s *Store) RefuseTokens(ctx context.Context, id uuid.UUID, generation int64, r Refusal) (bool, error) {
	return s.requireReauth(ctx, id, r, refuseTokens, id, generation, r.Variant)
}

func (s *Store) requireReauth(ctx context.Context, id uuid.UUID, r Refusal, update string, args ...any) (refused bool, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		in, err := s.LockIntegration(ctx, tx, nil, id)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, update, args...)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		refused = true
		if r.Variant == words.VariantRevoked {
			if _, err := tx.Exec(ctx, endTokensOf, id); err != nil {
				return err
			}
		}
		if _, err := s.OpenIncident(ctx, tx, in, Trouble{Code: NeedsReauth, Variant: r.Variant, Detail: r.Detail}); err != nil {
			return err
		}
		return s.EndAllRuns(ctx, tx, in, RunEnd{Status: Failed, Code: NeedsReauth, Variant: r.Variant, Detail: r.Detail})
	})
	if err != nil {
		return false, fmt.Errorf("require reconnection: %w", err)
	}
	return refused, nil
}
