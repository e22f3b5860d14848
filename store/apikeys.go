package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// KeyPrefix begins every API key, so that people and secret scanners recognise one.
const KeyPrefix = "enlace_"

// shownOfKey is how much of a key its list shows: enough to tell two apart, too little to guess the rest.
const shownOfKey = len(KeyPrefix) + 6

// NewKey makes a key with 256 random bits. It is shown once: the store keeps its hash.
func NewKey() string { return KeyPrefix + randomText() }

// randomText is 32 random bytes in the letters of URLs.
func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashSecret is what is kept of a key or session id. They are random, so a plain hash can't be turned back.
func hashSecret(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// APIKey is a key as its owner sees it again: never the key itself.
type APIKey struct {
	ID         uuid.UUID  `json:"id"`
	TenantID   uuid.UUID  `json:"tenant_id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix" doc:"The beginning of the key, to tell keys apart."`
	Admin      bool       `json:"admin"`
	CreatedAt  time.Time  `json:"created_at"`
	CreatedBy  *string    `json:"created_by"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To the minute."`
	RevokedAt  *time.Time `json:"revoked_at"`
}

const keyColumns = `k.id, k.tenant_id, k.name, k.prefix, k.admin, k.created_at, k.created_by, k.last_used_at, k.revoked_at`

// NewAPIKey is a key to be stored.
type NewAPIKey struct {
	TenantID  uuid.UUID
	Name      string
	Admin     bool // may reach every tenant
	CreatedBy string
	Key       string // from [NewKey]
}

const insertKey = `
INSERT INTO api_keys AS k (id, tenant_id, name, prefix, key_hash, admin, created_by) VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''))
RETURNING ` + keyColumns

// CreateAPIKey stores a key in a transaction of its own.
func (s *Store) CreateAPIKey(ctx context.Context, n NewAPIKey) (k APIKey, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		k, err = s.AddAPIKey(ctx, tx, n)
		return err
	})
	return k, err
}

// AddAPIKey stores a key in the transaction that also notes who made it.
func (s *Store) AddAPIKey(ctx context.Context, tx pgx.Tx, n NewAPIKey) (APIKey, error) {
	return single(ctx, tx, "create API key", pgx.RowToStructByPos[APIKey], insertKey,
		newID(), n.TenantID, n.Name, n.Key[:min(shownOfKey, len(n.Key))], hashSecret(n.Key), n.Admin, n.CreatedBy)
}

// findKey notes the use at most once a minute, so that a busy key doesn't write a row for every request.
const findKey = `
WITH found AS (SELECT * FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL),
used AS (UPDATE api_keys u SET last_used_at = now() FROM found f
    WHERE u.id = f.id AND (f.last_used_at IS NULL OR f.last_used_at < now() - interval '1 min'))
SELECT ` + keyColumns + ` FROM found k`

// FindAPIKey reads a key that is in force by the key itself; [ErrNotFound] if there is none.
func (s *Store) FindAPIKey(ctx context.Context, key string) (APIKey, error) {
	return single(ctx, s.pool, "find API key", pgx.RowToStructByPos[APIKey], findKey, hashSecret(key))
}

// KeyReach is which keys a caller may see and revoke. Nil where it is asked for: all of them.
type KeyReach struct {
	Tenant *uuid.UUID // nil: everybody's
	Admin  bool       // keys that reach every tenant, too
}

func (r *KeyReach) args() (tenant *uuid.UUID, admin bool) {
	if r == nil {
		return nil, true
	}
	return r.Tenant, r.Admin
}

const listKeys = `SELECT ` + keyColumns + ` FROM api_keys k
WHERE ($1::uuid IS NULL OR k.tenant_id = $1) AND (NOT k.admin OR $5) AND ($2::timestamptz IS NULL OR (k.created_at, k.id) < ($2, $3))
ORDER BY k.created_at DESC, k.id DESC LIMIT $4`

// ListAPIKeys lists the keys in reach, revoked ones too, newest first.
func (s *Store) ListAPIKeys(ctx context.Context, reach *KeyReach, after After, limit int) ([]APIKey, error) {
	at, id := after.args()
	tenant, admin := reach.args()
	return all(ctx, s.pool, "list API keys", pgx.RowToStructByPos[APIKey], listKeys, tenant, at, id, limit, admin)
}

const revokeKey = `
UPDATE api_keys k SET revoked_at = coalesce(k.revoked_at, now()) WHERE k.id = $1
    AND ($2::uuid IS NULL OR k.tenant_id = $2) AND (NOT k.admin OR $3)
RETURNING ` + keyColumns

// RevokeAPIKey ends a key in reach and the browser sessions that it opened, in one transaction. Revoking it again changes nothing.
func (s *Store) RevokeAPIKey(ctx context.Context, reach *KeyReach, id uuid.UUID) (k APIKey, err error) {
	tenant, admin := reach.args()
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, revokeKey, id, tenant, admin)
		if err != nil {
			return err
		}
		if k, err = one(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[APIKey])); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM sessions WHERE actor = $1`, KeyActor(k.ID))
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("revoke API key: %w", err)
	}
	return k, err
}

// KeyActor is how audit log, runs and sessions name what a key did.
func KeyActor(id uuid.UUID) string { return "key:" + id.String() }
