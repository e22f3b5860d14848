package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// changedRuns reads by the index on tenant and time, each tenant for itself: a busy one doesn't crowd out a quiet one. It is
// asked a few times a second.
const changedRuns = `SELECT ` + runColumns + ` FROM unnest($1::uuid[]) AS t (id) CROSS JOIN LATERAL (
    SELECT * FROM integration_sync_logs l WHERE l.tenant_id = t.id AND l.updated_at >= $2 ORDER BY l.updated_at DESC LIMIT $3
) r ORDER BY r.updated_at DESC`

const changedIntegrations = `SELECT ` + integrationColumns + ` FROM unnest($1::uuid[]) AS t (id) CROSS JOIN LATERAL (
    SELECT * FROM integrations l WHERE l.tenant_id = t.id AND l.updated_at >= $2 ORDER BY l.updated_at DESC LIMIT $3
) i ORDER BY i.updated_at DESC`

const integrationsByID = `SELECT ` + integrationColumns + ` FROM integrations i WHERE i.id = ANY ($1)`

// Changes are rows written since a moment, the latest first.
type Changes struct {
	Now          time.Time // the database's clock, before they were read
	Runs         []Run
	Integrations []Integration
}

// ChangedSince reads up to limit runs, and as many integrations, of each of some tenants that were written since a moment on the
// database's clock. A row may have been committed later than it was written, so whoever follows changes reads a span again.
func (s *Store) ChangedSince(ctx context.Context, tenants []uuid.UUID, since time.Time, limit int) (c Changes, err error) {
	if c.Now, err = s.Now(ctx); err != nil {
		return c, fmt.Errorf("read changes: %w", err)
	}
	if c.Runs, err = all(ctx, s.pool, "read changed runs", pgx.RowToStructByPos[Run], changedRuns, tenants, since, limit); err != nil {
		return c, err
	}
	c.Integrations, err = all(ctx, s.pool, "read changed integrations", pgx.RowToStructByPos[Integration], changedIntegrations, tenants, since, limit)
	return c, err
}

// IntegrationsByID reads integrations, whatever their tenant: those of runs that the caller was allowed to read.
func (s *Store) IntegrationsByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Integration, error) {
	found := make(map[uuid.UUID]Integration, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	list, err := all(ctx, s.pool, "read integrations", pgx.RowToStructByPos[Integration], integrationsByID, ids)
	if err != nil {
		return nil, err
	}
	for _, i := range list {
		found[i.ID] = i
	}
	return found, nil
}
