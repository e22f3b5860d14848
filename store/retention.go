package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The retentions, and how many rows one statement removes at most.
const (
	keepRuns        = 90 * 24 * time.Hour
	keepAudit       = 365 * 24 * time.Hour
	keepIdempotency = 24 * time.Hour
	keepStates      = 24 * time.Hour
	keepSpending    = 48 * time.Hour
	keepResolved    = 30 * 24 * time.Hour
	keepDeliveries  = 7 * 24 * time.Hour

	removeAtOnce = 1000
)

// retentions are the statements that remove a batch of rows. The newest runs of an integration stay whatever their age,
// and so does one whose held deletions wait for a person.
var retentions = []struct { //nolint:gochecknoglobals // a constant table
	sql string
	age time.Duration
}{
	{`DELETE FROM integration_sync_logs WHERE id IN (
		SELECT r.id FROM integration_sync_logs r
		WHERE r.status IN ('completed', 'failed') AND r.created_at < now() - $1::interval
		  AND NOT EXISTS (SELECT FROM confirming_reads c WHERE c.run_id = r.id AND c.result = 'held')
		  AND EXISTS (SELECT FROM integration_sync_logs n WHERE n.integration_id = r.integration_id AND n.created_at > r.created_at
		      ORDER BY n.created_at DESC OFFSET 9 LIMIT 1)
		LIMIT $2)`, keepRuns},
	{`DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE at < now() - $1::interval LIMIT $2)`, keepAudit},
	{`DELETE FROM idempotency_keys WHERE (tenant_id, key) IN (SELECT tenant_id, key FROM idempotency_keys WHERE created_at < now() - $1::interval LIMIT $2)`, keepIdempotency},
	{`DELETE FROM oauth_states WHERE state_hash IN (SELECT state_hash FROM oauth_states WHERE expires_at < now() - $1::interval LIMIT $2)`, keepStates},
	{`DELETE FROM connect_sessions WHERE token_hash IN (SELECT token_hash FROM connect_sessions WHERE expires_at < now() - $1::interval LIMIT $2)`, keepStates},
	{`DELETE FROM sessions WHERE id_hash IN (SELECT id_hash FROM sessions WHERE expires_at < now() - $1::interval LIMIT $2)`, keepStates},
	{`DELETE FROM rate_spending WHERE ctid IN (SELECT ctid FROM rate_spending WHERE hour < now() - $1::interval LIMIT $2)`, keepSpending},
	{`DELETE FROM sync_failures WHERE id IN (SELECT id FROM sync_failures WHERE resolved_at < now() - $1::interval LIMIT $2)`, keepResolved},
	{`DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE processed_at < now() - $1::interval LIMIT $2)`, keepDeliveries},
	{`DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE closed_at < now() - $1::interval LIMIT $2)`, keepRuns},
}

// RemoveOld removes a batch of what is past its retention, and returns how many rows there were.
func (s *Store) RemoveOld(ctx context.Context) (removed int64, err error) {
	for _, r := range retentions {
		tag, err := s.pool.Exec(ctx, r.sql, r.age, removeAtOnce)
		if err != nil {
			return removed, fmt.Errorf("remove old rows: %w", err)
		}
		removed += tag.RowsAffected()
	}
	return removed, nil
}

const refreshesDue = `
SELECT id FROM integrations
WHERE status = 'connected' AND refresh_token IS NOT NULL AND expires_at < clock_timestamp() + $1::interval
ORDER BY random() LIMIT $2` // those that can't be renewed must not stand before the others

// RefreshesDue lists connected integrations whose access token ends within so long. Renewing all of
// them also keeps alive refresh tokens that die of rest.
func (s *Store) RefreshesDue(ctx context.Context, within time.Duration, limit int) ([]uuid.UUID, error) {
	return all(ctx, s.pool, "list due refreshes", pgx.RowTo[uuid.UUID], refreshesDue, within, limit)
}
