package worker

import (
	"context"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/providers/words"
)

// recovered closes the incidents that a stored page shows to be over, once in a slice: the provider answers, and lets the
// account and our app in. Those about what a whole run must show wait for its end.
func (s *slice) recovered(ctx context.Context) {
	if s.sound {
		return
	}
	s.sound = true
	err := s.engine.Store.Tx(ctx, func(tx pgx.Tx) error {
		return s.engine.Store.CloseIncidents(ctx, tx, s.integration.ID, string(words.ProviderUnavailable), string(words.QuotaExhausted), string(words.Blocked))
	})
	if err != nil && ctx.Err() == nil { // the end of the run closes them too
		s.log.Warn().Err(err).Msg("incidents that are over could not be closed yet")
	}
}
