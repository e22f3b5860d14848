package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ErrKeyLost says that another request has taken an idempotency key over: this one was so slow that it was thought dead,
// and its work must not be committed.
var ErrKeyLost = errors.New("the idempotency key was taken over")

// KeyLease is how long a request may work under its key before a repeated one takes over: longer than any request lives.
const KeyLease = 2 * time.Minute

// IdempotencyKey is a caller's name for a request: the same key gives the same answer, once, for a day.
type IdempotencyKey struct {
	TenantID    uuid.UUID // zero: an admin who acts for no tenant
	Key         string
	RequestHash []byte // of method, path and body
}

// Answer is what a request was answered with.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// KeyState is what a request finds of its key.
type KeyState int

// The states. Only the first may work.
const (
	KeyClaimed  KeyState = iota // it is this request's, until it answers or gives it back
	KeyAnswered                 // an earlier request has answered: the answer is repeated
	KeyRunning                  // an earlier request is working
	KeyReused                   // an earlier request had other content
)

// KeyClaim is the right of one request to work under its key.
type KeyClaim struct {
	key   IdempotencyKey
	until time.Time // tells this claim from a later one
}

// claimKey takes a key that is new, older than a day, or left by a request that died before it had answered. Its work was
// not committed: work and answer are, together.
const claimKey = `
INSERT INTO idempotency_keys AS k (tenant_id, key, request_hash, locked_until) VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
ON CONFLICT (tenant_id, key) DO UPDATE SET request_hash = excluded.request_hash, locked_until = excluded.locked_until,
    status = NULL, body = NULL, content_type = NULL, created_at = now()
WHERE k.created_at < now() - interval '24 h' OR (k.status IS NULL AND k.locked_until < clock_timestamp() AND k.request_hash = excluded.request_hash)
RETURNING locked_until`

const readKey = `
SELECT request_hash, coalesce(status, 0), coalesce(content_type, ''), body FROM idempotency_keys WHERE tenant_id = $1 AND key = $2`

// ClaimKey claims a key, or says what has become of it; answer is set for [KeyAnswered].
func (s *Store) ClaimKey(ctx context.Context, k IdempotencyKey) (claim KeyClaim, state KeyState, answer Answer, err error) {
	claim.key = k
	err = s.pool.QueryRow(ctx, claimKey, k.TenantID, k.Key, k.RequestHash, KeyLease).Scan(&claim.until)
	if err == nil {
		return claim, KeyClaimed, answer, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return claim, 0, answer, fmt.Errorf("claim idempotency key: %w", err)
	}
	var hash []byte
	err = s.pool.QueryRow(ctx, readKey, k.TenantID, k.Key).Scan(&hash, &answer.Status, &answer.ContentType, &answer.Body)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // given back in between: the caller may ask again
		return claim, KeyRunning, answer, nil
	case err != nil:
		return claim, 0, answer, fmt.Errorf("read idempotency key: %w", err)
	case !bytes.Equal(hash, k.RequestHash):
		return claim, KeyReused, Answer{}, nil
	case answer.Status == 0:
		return claim, KeyRunning, answer, nil
	}
	return claim, KeyAnswered, answer, nil
}

const answerKey = `
UPDATE idempotency_keys SET status = $4, content_type = $5, body = $6
WHERE tenant_id = $1 AND key = $2 AND locked_until = $3 AND status IS NULL`

// AnswerKey stores the answer: with the work, in the transaction that does it, or right after work that can't be done
// twice anyhow (db nil). [ErrKeyLost] if the key was taken over: the work must be rolled back.
func (s *Store) AnswerKey(ctx context.Context, db execer, c KeyClaim, a Answer) error {
	if db == nil {
		db = s.pool
	}
	tag, err := db.Exec(ctx, answerKey, c.key.TenantID, c.key.Key, c.until, a.Status, a.ContentType, a.Body)
	if err != nil {
		return fmt.Errorf("store answer of idempotency key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrKeyLost
	}
	return nil
}

const releaseKey = `DELETE FROM idempotency_keys WHERE tenant_id = $1 AND key = $2 AND locked_until = $3 AND status IS NULL`

// ReleaseKey gives a key back: nothing was done, so a repeated request may try anew.
func (s *Store) ReleaseKey(ctx context.Context, c KeyClaim) error {
	if _, err := s.pool.Exec(ctx, releaseKey, c.key.TenantID, c.key.Key, c.until); err != nil {
		return fmt.Errorf("release idempotency key: %w", err)
	}
	return nil
}
