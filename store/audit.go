package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Audit is one act of a person or a key that others may ask about later.
type Audit struct {
	TenantID *uuid.UUID // nil: of no tenant
	Actor    string
	Action   string         // "integration.pause"
	Subject  string         // the id of what it was done to
	Details  map[string]any // no secret, no personal datum
}

const insertAudit = `
INSERT INTO audit_log (id, tenant_id, actor, action, subject, details) VALUES ($1, $2, $3, $4, $5, coalesce($6, '{}'::jsonb))`

// Audit notes an act in the transaction that does it, or beside one that is done already: db is a transaction, or nil.
func (s *Store) Audit(ctx context.Context, db execer, a Audit) error {
	if db == nil {
		db = s.pool
	}
	var details any
	if a.Details != nil {
		details = a.Details
	}
	if _, err := db.Exec(ctx, insertAudit, newID(), a.TenantID, a.Actor, a.Action, a.Subject, details); err != nil {
		return fmt.Errorf("note in audit log: %w", err)
	}
	return nil
}
