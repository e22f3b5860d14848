package worker

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

const (
	// probesAtOnce is how many accounts that are down a process asks at a time, and probeLimit how long each may take.
	probesAtOnce = 3
	probeLimit   = 5 * time.Second

	// downLook is when what waits for an account looks by itself, should nobody wake it.
	downLook = time.Minute
)

// unserved reports whether a failure says that the provider doesn't serve the account at present.
func unserved(e *providers.Error) bool {
	return e.Kind == providers.Transient && (e.Status == 0 || e.Status >= 500)
}

// waitsForProbe is the wait of all work of an account that is down.
func waitsForProbe() store.Wait {
	return store.Wait{For: downLook, Reason: words.WaitProviderDown}
}

// noteUnserved counts a failure against the account; down says that its work now waits for a probe.
func (s *slice) noteUnserved(ctx context.Context, tx pgx.Tx, e *providers.Error) (down bool, err error) {
	if !unserved(e) || s.provider == nil {
		return false, nil
	}
	return s.engine.Store.NoteUnserved(ctx, tx, s.reachKey(), max(s.engine.Spans.Probe, time.Until(e.RetryAt)))
}

func (s *slice) reachKey() store.AccountKey {
	return store.AccountKey{Provider: s.provider.Name, Account: s.account}
}

// noteServed ends a row of failures of the account.
func (s *slice) noteServed(ctx context.Context) {
	if !s.doubted.CompareAndSwap(true, false) {
		return
	}
	if err := s.engine.Store.NoteServed(ctx, s.reachKey(), false, words.WaitProviderDown); err != nil && ctx.Err() == nil {
		s.log.Warn().Err(err).Msg("could not note that the provider answers again")
	}
}

// watchDown asks accounts that are down, each by one call every so often whatever waits for it, until they are served.
func (e *engine) watchDown(ctx context.Context) {
	tick := time.NewTicker(e.Spans.Probe)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := e.probeDown(ctx); err != nil && ctx.Err() == nil {
			e.Log.Warn().Err(err).Msg("could not look whether providers are back; the next look will")
		}
	}
}

func (e *engine) probeDown(ctx context.Context) error {
	probes, err := e.Store.ClaimProbes(ctx, probesAtOnce, e.Spans.Probe)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, p := range probes {
		group.Go(func() error {
			if !e.served(ctx, p) {
				return nil
			}
			e.Log.Info().Str("provider", p.Provider).Msg("the provider serves an account again; what waited goes on")
			return e.Store.NoteServed(ctx, p.AccountKey, true, words.WaitProviderDown)
		})
	}
	return group.Wait()
}

// served asks the account who it is. Whatever the provider says, but for a fault of its own, it serves.
func (e *engine) served(ctx context.Context, p store.Probe) bool {
	provider := e.byName[p.Provider]
	if p.Integration == nil || provider == nil || provider.OAuth == nil || provider.OAuth.Identify == nil {
		return true // nobody waits, or there is nothing to ask: the next run finds out
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	in, err := e.Store.AnyIntegration(ctx, *p.Integration)
	if err != nil {
		return false
	}
	account := in.Account()
	_, err = provider.OAuth.Identify(ctx, account, e.Vault.Client(in.ID, account).Client)
	failure, ok := errors.AsType[*providers.Error](err)
	return err == nil || ok && !unserved(failure)
}
