package jobs

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// ConfirmDeletions marks the deletions that a run has left to a person as deleted, and returns how many. Those of contacts
// that somebody has read since stay alive. Errors: [store.ErrNotFound], [*ConflictError].
func (c *Client) ConfirmDeletions(ctx context.Context, tenant *uuid.UUID, run uuid.UUID, by string) (r store.Run, deleted int64, err error) {
	r, err = c.onRun(ctx, tenant, run, func(ctx context.Context, tx pgx.Tx, in store.Locked, r store.Run) error {
		if err := waitsForPerson(r); err != nil {
			return err
		}
		if deleted, err = c.store.ConfirmHeld(ctx, tx, in, run, by); err != nil {
			return err
		}
		return c.auditDecision(ctx, tx, in, run, by, store.DecisionConfirmed, deleted)
	})
	return r, deleted, err
}

// DiscardDeletions keeps the contacts whose deletion a run has left to a person. If they are still missing after the next
// full run, that one asks again; none is deleted. Errors: [store.ErrNotFound], [*ConflictError].
func (c *Client) DiscardDeletions(ctx context.Context, tenant *uuid.UUID, run uuid.UUID, by string) (r store.Run, deleted int64, err error) {
	r, err = c.onRun(ctx, tenant, run, func(ctx context.Context, tx pgx.Tx, in store.Locked, r store.Run) error {
		if err := waitsForPerson(r); err != nil {
			return err
		}
		if err := c.store.DiscardHeld(ctx, tx, in, run, by); err != nil {
			return err
		}
		return c.auditDecision(ctx, tx, in, run, by, store.DecisionDiscarded, 0)
	})
	return r, 0, err
}

// waitsForPerson refuses a run whose deletions don't wait.
func waitsForPerson(r store.Run) error {
	switch {
	case r.DeletionsDecision != nil && *r.DeletionsDecision == store.DecisionCleared:
		return &ConflictError{Phrase: words.PhraseCleared}
	case r.DeletionsDecision != nil:
		name := ""
		if r.DeletionsDecidedBy != nil {
			name = *r.DeletionsDecidedBy
		}
		return &ConflictError{Phrase: words.PhraseDecided, Name: name}
	case r.Outcome == nil || *r.Outcome != store.DeletionsHeld:
		return &ConflictError{Phrase: words.PhraseNoneHeld}
	}
	return nil
}

func (c *Client) auditDecision(ctx context.Context, tx pgx.Tx, in store.Locked, run uuid.UUID, by, decision string, deleted int64) error {
	return c.store.Audit(ctx, tx, store.Audit{
		TenantID: &in.TenantID, Actor: by, Action: "deletions." + decision, Subject: run.String(), Details: map[string]any{"deleted": deleted},
	})
}
