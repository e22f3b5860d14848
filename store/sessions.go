package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Session is a browser that has signed in to the served dashboard.
type Session struct {
	TenantID  uuid.UUID // zero: an admin of all tenants
	Admin     bool
	Actor     string // who signed in, such as "key:…"
	ExpiresAt time.Time
}

const insertSession = `
INSERT INTO sessions (id_hash, tenant_id, admin, actor, expires_at) VALUES ($1, $2, $3, $4, now() + $5::interval) RETURNING expires_at`

// CreateSession opens a session for a while and returns its id, of which only a hash is kept.
func (s *Store) CreateSession(ctx context.Context, n Session, lifetime time.Duration) (id string, created Session, err error) {
	id = randomText()
	if err := s.pool.QueryRow(ctx, insertSession, hashSecret(id), n.TenantID, n.Admin, n.Actor, lifetime).Scan(&n.ExpiresAt); err != nil {
		return "", Session{}, fmt.Errorf("create session: %w", err)
	}
	return id, n, nil
}

const findSession = `SELECT tenant_id, admin, actor, expires_at FROM sessions WHERE id_hash = $1 AND expires_at > now()`

// FindSession reads a session that has not ended; [ErrNotFound] if there is none.
func (s *Store) FindSession(ctx context.Context, id string) (Session, error) {
	return single(ctx, s.pool, "find session", pgx.RowToStructByPos[Session], findSession, hashSecret(id))
}

// EndSession ends a session; one that has ended already is no error.
func (s *Store) EndSession(ctx context.Context, id string) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM sessions WHERE id_hash = $1`, hashSecret(id)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
