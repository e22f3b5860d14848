package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Incident is one open cause of trouble for one integration. It opens once, and closes itself on recovery.
type Incident struct {
	ID            uuid.UUID       `json:"id"`
	TenantID      uuid.UUID       `json:"tenant_id"`
	IntegrationID uuid.UUID       `json:"integration_id"`
	Code          string          `json:"code"`
	Variant       *string         `json:"variant"`
	Detail        *string         `json:"detail"`
	Args          json.RawMessage `json:"args"`
	RunID         *uuid.UUID      `json:"run_id"`
	OpenedAt      time.Time       `json:"opened_at"`
	LastSeenAt    time.Time       `json:"last_seen_at"`
	Times         int32           `json:"times"`
	ClosedAt      *time.Time      `json:"closed_at"`
}

// Trouble is what an incident is about.
type Trouble struct {
	Code, Variant, Detail string
	Args                  map[string]any // numbers for its sentence: no personal datum
	RunID                 *uuid.UUID
}

const openIncident = `
INSERT INTO incidents AS n (id, tenant_id, integration_id, code, variant, detail, args, run_id)
VALUES ($1, $2, $3, $4, nullif($5, ''), nullif($6, ''), coalesce($7, '{}'::jsonb), $8)
ON CONFLICT (integration_id, code) WHERE closed_at IS NULL
DO UPDATE SET last_seen_at = now(), times = n.times + 1, variant = excluded.variant, detail = excluded.detail, args = excluded.args,
    run_id = coalesce(excluded.run_id, n.run_id)
RETURNING times = 1`

// OpenIncident opens an incident, or notes that the open one goes on; opened says which.
func (s *Store) OpenIncident(ctx context.Context, tx pgx.Tx, in Locked, t Trouble) (opened bool, err error) {
	var args any
	if t.Args != nil {
		args = t.Args
	}
	err = tx.QueryRow(ctx, openIncident, newID(), in.TenantID, in.ID, t.Code, t.Variant, t.Detail, args, t.RunID).Scan(&opened)
	if err != nil {
		return false, fmt.Errorf("open incident: %w", err)
	}
	return opened, nil
}

const closeIncidents = `UPDATE incidents SET closed_at = now() WHERE integration_id = $1 AND code = ANY ($2) AND closed_at IS NULL`

// CloseIncidents closes the open incidents of these codes: their cause is gone.
func (s *Store) CloseIncidents(ctx context.Context, tx pgx.Tx, integration uuid.UUID, codes ...string) error {
	if _, err := tx.Exec(ctx, closeIncidents, integration, codes); err != nil {
		return fmt.Errorf("close incidents: %w", err)
	}
	return nil
}

const incidentColumns = `n.id, n.tenant_id, n.integration_id, n.code, n.variant, n.detail, n.args, n.run_id, n.opened_at, n.last_seen_at, n.times, n.closed_at`

const readIncident = `SELECT ` + incidentColumns + ` FROM incidents n WHERE n.id = $1 AND ($2::uuid IS NULL OR n.tenant_id = $2)`

// Incident reads one of a tenant's incidents (nil: of anybody's).
func (s *Store) Incident(ctx context.Context, tenant *uuid.UUID, id uuid.UUID) (Incident, error) {
	return single(ctx, s.pool, "read incident", pgx.RowToStructByPos[Incident], readIncident, id, tenant)
}

// Cause is what several integrations may suffer from at once.
type Cause struct{ Provider, Code string }

const countCauses = `
SELECT i.provider, n.code, count(*) FROM incidents n JOIN integrations i ON i.id = n.integration_id WHERE n.closed_at IS NULL GROUP BY i.provider, n.code`

// CountCauses counts the integrations with an open incident, by provider and cause: for operators.
func (s *Store) CountCauses(ctx context.Context) (map[Cause]int64, error) {
	list, err := s.counts(ctx, countCauses)
	if err != nil {
		return nil, err
	}
	causes := make(map[Cause]int64, len(list))
	for _, c := range list {
		causes[Cause{c.First, c.Second}] = c.N
	}
	return causes, nil
}

const listIncidents = `SELECT ` + incidentColumns + ` FROM incidents n
WHERE ($1::uuid IS NULL OR n.tenant_id = $1) AND ($2::uuid IS NULL OR n.integration_id = $2)
  AND ($3::boolean IS NULL OR (n.closed_at IS NULL) = $3)
  AND ($4::timestamptz IS NULL OR (n.opened_at, n.id) < ($4, $5))
ORDER BY n.opened_at DESC, n.id DESC LIMIT $6`

// ListIncidents lists a tenant's incidents (nil: everybody's), newest first; open nil: both open and closed ones.
func (s *Store) ListIncidents(ctx context.Context, tenant, integration *uuid.UUID, open *bool, after After, limit int) ([]Incident, error) {
	at, id := after.args()
	return all(ctx, s.pool, "list incidents", pgx.RowToStructByPos[Incident], listIncidents, tenant, integration, open, at, id, limit)
}
