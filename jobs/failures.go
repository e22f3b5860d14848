package jobs

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/store"
)

// RetryFailures lets the open failures of a filter, or only one of them, be read again by their ids, at once, and whoever
// reads them has a job when this returns. What then can be taken is stored and resolved; what can't stays. Errors:
// [store.ErrNotFound], [*InactiveError].
func (c *Client) RetryFailures(ctx context.Context, tenant *uuid.UUID, f store.FailureFilter, only *uuid.UUID) (r store.Retrying, err error) {
	err = c.store.Tx(ctx, func(tx pgx.Tx) error {
		in, err := c.store.LockIntegration(ctx, tx, tenant, f.Integration)
		if err != nil {
			return err
		}
		if in.Status != store.Connected {
			return &InactiveError{in.Status}
		}
		if r, err = c.store.RetryFailures(ctx, tx, f, only); err != nil || r.Records == 0 {
			return err
		}
		if r.Idle {
			return c.startChanges(ctx, tx, f.Integration)
		}
		return c.store.HastenChanges(ctx, tx, f.Integration)
	})
	return r, err
}
