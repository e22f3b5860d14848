package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/store/rules"
)

// Rows reads what the rules need of the stored rows of some records; an id without a row is missing. Nothing is locked.
func (s *Store) Rows(ctx context.Context, integration uuid.UUID, ids []string) (map[string]*rules.Row, error) {
	rows, err := s.pool.Query(ctx, readMarks, integration, ids)
	if err != nil {
		return nil, fmt.Errorf("read stored contacts: %w", err)
	}
	return collectMarks(rows, uuid.Nil)
}

// sampleContacts takes every so many-th row, from a place that differs from one asking to the next.
const sampleContacts = `
WITH numbered AS (
    SELECT external_id, row_number() OVER (ORDER BY external_id) - 1 AS n, count(*) OVER () AS all_of_them
    FROM contacts WHERE integration_id = $1 AND deleted_at IS NULL),
begin AS (SELECT random() AS at)
SELECT external_id FROM numbered, begin
WHERE all_of_them <= $2 OR n % ceil(all_of_them::numeric / $2)::bigint = floor(at * ceil(all_of_them::numeric / $2))::bigint
ORDER BY n LIMIT $2`

// SampleContacts picks up to n live contacts of an integration, spread evenly over their ids.
func (s *Store) SampleContacts(ctx context.Context, integration uuid.UUID, n int) ([]string, error) {
	return all(ctx, s.pool, "sample contacts", pgx.RowTo[string], sampleContacts, integration, n)
}
