package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// SealedTokens is an integration's tokens as they are stored, for whoever seals them anew.
type SealedTokens struct {
	ID           uuid.UUID
	Provider     string
	AccessToken  string // empty: none
	RefreshToken string // empty: none
}

// listSealed lists by id: the order is only there to go on from. A prefix that no token begins with matches all.
const listSealed = `
SELECT id, provider, coalesce(access_token, ''), coalesce(refresh_token, '') FROM integrations
WHERE id > $1 AND (access_token <> '' OR refresh_token <> '')
  AND (NOT $3::boolean OR access_token !~ $4 OR refresh_token !~ $4)
ORDER BY id LIMIT $2`

// sealedForm is what a token looks like that the vault has written.
const sealedForm = `^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+$`

// ListSealed lists integrations that have tokens, in the order of their ids, after the given one.
func (s *Store) ListSealed(ctx context.Context, after uuid.UUID, limit int) ([]SealedTokens, error) {
	return s.listSealed(ctx, after, limit, false)
}

// ListForeign is [Store.ListSealed] for those with a token that isn't in the vault's format: left by an earlier system.
func (s *Store) ListForeign(ctx context.Context, after uuid.UUID, limit int) ([]SealedTokens, error) {
	return s.listSealed(ctx, after, limit, true)
}

func (s *Store) listSealed(ctx context.Context, after uuid.UUID, limit int, foreign bool) ([]SealedTokens, error) {
	return all(ctx, s.pool, "list tokens", pgx.RowToStructByPos[SealedTokens], listSealed, after, limit, foreign, sealedForm)
}

// replaceSealed compares the texts themselves: a refresh in between has changed them, and wins.
const replaceSealed = `
UPDATE integrations SET access_token = nullif($4, ''), refresh_token = nullif($5, '')
WHERE id = $1 AND coalesce(access_token, '') = $2 AND coalesce(refresh_token, '') = $3`

// ReplaceSealed stores the same tokens sealed anew; false, and nothing changed, if the stored ones aren't those of was any
// more. The generation stays: for whoever uses them, they are the same.
func (s *Store) ReplaceSealed(ctx context.Context, was SealedTokens, access, refresh string) (bool, error) {
	tag, err := s.pool.Exec(ctx, replaceSealed, was.ID, was.AccessToken, was.RefreshToken, access, refresh)
	if err != nil {
		return false, fmt.Errorf("replace tokens: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}
