package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// GrantedToken is a refresh token of a provider that keeps only so many of a user; the zero value is one of another
// provider, which nobody counts.
type GrantedToken struct {
	Hash []byte // SHA-256 of the token: enough to know it again
	Kept int    // how many of a user live at a time
}

const noteGrant = `
INSERT INTO granted_tokens (provider, external_account_id, token_hash, integration_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (provider, external_account_id, token_hash) DO UPDATE SET integration_id = excluded.integration_id, ended_at = NULL`

// pushOut notes what the provider does without a word: the oldest beyond its number end. A new refresh token has a number
// of renewals of its own.
const pushOut = `
WITH fresh AS (UPDATE integrations SET refresh_times = ARRAY[clock_timestamp()] WHERE id = $4)
UPDATE granted_tokens SET ended_at = clock_timestamp() WHERE (provider, external_account_id, token_hash) IN (
    SELECT provider, external_account_id, token_hash FROM granted_tokens
    WHERE provider = $1 AND external_account_id = $2 AND ended_at IS NULL ORDER BY granted_at DESC OFFSET $3)`

// recordToken counts the refresh token of a grant among those of its user.
func (s *Store) recordToken(ctx context.Context, tx pgx.Tx, g GrantedAccount, integration uuid.UUID) error {
	if len(g.Token.Hash) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, noteGrant, g.Provider, g.ExternalID, g.Token.Hash, integration); err != nil {
		return fmt.Errorf("count refresh token: %w", err)
	}
	if _, err := tx.Exec(ctx, pushOut, g.Provider, g.ExternalID, g.Token.Kept, integration); err != nil {
		return fmt.Errorf("count refresh token: %w", err)
	}
	return nil
}

const endToken = `UPDATE granted_tokens SET ended_at = clock_timestamp() WHERE provider = $1 AND token_hash = $2 AND ended_at IS NULL`

// endTokensOf ends those of an integration whose token the provider refuses for good.
const endTokensOf = `UPDATE granted_tokens SET ended_at = clock_timestamp() WHERE integration_id = $1 AND ended_at IS NULL`

// EndGrantedToken notes that a refresh token was withdrawn: it takes no place among its user's any more.
func (s *Store) EndGrantedToken(ctx context.Context, provider string, hash []byte) error {
	if _, err := s.pool.Exec(ctx, endToken, provider, hash); err != nil {
		return fmt.Errorf("end refresh token: %w", err)
	}
	return nil
}

// LiveToken is a refresh token of a user that lives, as far as we know.
type LiveToken struct {
	IntegrationID *uuid.UUID // whose it is; nil: of one that is gone
	TenantID      *uuid.UUID
	AccountName   *string
	GrantedAt     time.Time
}

// liveGrants counts connected integrations too whose token came before tokens were counted.
const liveGrants = `
SELECT i.id, i.tenant_id, i.external_account_name, l.granted_at FROM granted_tokens l LEFT JOIN integrations i ON i.id = l.integration_id
WHERE l.provider = $1 AND l.external_account_id = $2 AND l.ended_at IS NULL
UNION ALL
SELECT i.id, i.tenant_id, i.external_account_name, coalesce(i.created_at, 'epoch') FROM integrations i
WHERE i.provider = $1 AND i.external_account_id = $2 AND i.refresh_token <> '' AND i.status <> 'needs_reauth'
  AND NOT EXISTS (SELECT FROM granted_tokens l WHERE l.integration_id = i.id AND l.ended_at IS NULL)
ORDER BY 4`

// LiveTokens lists the refresh tokens of an account's user, the oldest first.
func (s *Store) LiveTokens(ctx context.Context, provider, externalID string) ([]LiveToken, error) {
	return all(ctx, s.pool, "list refresh tokens", pgx.RowToStructByPos[LiveToken], liveGrants, provider, externalID)
}

// payRefresh pays a renewal before it is made: what is lost with a worker counts all the same.
const payRefresh = `
UPDATE integrations i SET refresh_times = past.times || clock_timestamp()
FROM (SELECT id, ARRAY(SELECT t FROM unnest(refresh_times) AS t WHERE t > clock_timestamp() - $3::interval ORDER BY t) AS times
    FROM integrations WHERE id = $1) AS past
WHERE i.id = past.id AND i.token_generation = $2 AND cardinality(past.times) < $4
RETURNING interval '0'`

const nextRefresh = `
SELECT greatest((SELECT min(t) FROM unnest(refresh_times) AS t WHERE t > clock_timestamp() - $2::interval) + $2::interval - clock_timestamp(), interval '1 second')
FROM integrations WHERE id = $1`

// PayRefresh pays one of at most so many renewals in some time; a wait other than 0 says that they are used up until then.
func (s *Store) PayRefresh(ctx context.Context, id uuid.UUID, generation int64, most int, in time.Duration) (wait time.Duration, err error) {
	err = s.pool.QueryRow(ctx, payRefresh, id, generation, in, most).Scan(&wait)
	if errors.Is(err, pgx.ErrNoRows) {
		err = s.pool.QueryRow(ctx, nextRefresh, id, in).Scan(&wait)
	}
	if err != nil {
		return 0, fmt.Errorf("pay refresh: %w", err)
	}
	return wait, nil
}

const noteFound = `UPDATE integrations SET contacts_found = $2, contacts_found_more = $3, probed_at = clock_timestamp() WHERE id = $1`

// NoteFound notes how many contacts were found when an account was connected; more: at least so many.
func (s *Store) NoteFound(ctx context.Context, id uuid.UUID, contacts int64, more bool) error {
	if _, err := s.pool.Exec(ctx, noteFound, id, contacts, more); err != nil {
		return fmt.Errorf("note what was found: %w", err)
	}
	return nil
}
