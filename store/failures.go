package store

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers"
)

const upsertFailure = `
INSERT INTO sync_failures AS f (id, tenant_id, integration_id, external_id, reason, field, detail, payload, first_run_id, last_run_id)
VALUES ($1, $2, $3, $4, $5, nullif($6, ''), nullif($7, ''), $8, $9, $9)
ON CONFLICT (integration_id, external_id) WHERE resolved_at IS NULL
DO UPDATE SET reason = excluded.reason, field = excluded.field, detail = excluded.detail, payload = excluded.payload,
    last_run_id = coalesce(excluded.last_run_id, f.last_run_id), last_seen_at = now(), times = f.times + 1`

// payload is what quarantine keeps of a record: text that Postgres can store, of bounded size.
func payload(b []byte) *string {
	if len(b) == 0 {
		return nil
	}
	if len(b) > providers.MaxFailurePayload {
		b = b[:providers.MaxFailurePayload]
	}
	s := strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
	return &s
}

// Failure is a record in quarantine.
type Failure struct {
	ID            uuid.UUID  `json:"id"`
	IntegrationID uuid.UUID  `json:"integration_id"`
	ExternalID    string     `json:"external_id"`
	Reason        string     `json:"reason"`
	Field         *string    `json:"field"`
	Detail        *string    `json:"detail"`
	Payload       *string    `json:"payload"`
	Times         int32      `json:"times"`
	FirstRunID    *uuid.UUID `json:"first_run_id"`
	LastRunID     *uuid.UUID `json:"last_run_id"`
	FirstSeenAt   time.Time  `json:"first_seen_at"`
	LastSeenAt    time.Time  `json:"last_seen_at"`
	ResolvedAt    *time.Time `json:"resolved_at"`
}

const listFailures = `
SELECT f.id, f.integration_id, f.external_id, f.reason, f.field, f.detail, f.payload, f.times, f.first_run_id, f.last_run_id,
    f.first_seen_at, f.last_seen_at, f.resolved_at
FROM sync_failures f JOIN integration_sync_logs r ON r.id = $1
WHERE f.integration_id = r.integration_id AND ($2::uuid IS NULL OR f.tenant_id = $2) AND (f.last_run_id = r.id OR f.first_run_id = r.id)
  AND ($3::timestamptz IS NULL OR (f.last_seen_at, f.id) < ($3, $4))
ORDER BY f.last_seen_at DESC, f.id DESC LIMIT $5`

// ListFailures lists the records that a run could not take, newest first.
func (s *Store) ListFailures(ctx context.Context, tenant *uuid.UUID, run uuid.UUID, after After, limit int) ([]Failure, error) {
	at, id := after.args()
	return all(ctx, s.pool, "list failures", pgx.RowToStructByPos[Failure], listFailures, run, tenant, at, id, limit)
}
