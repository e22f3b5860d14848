package vault

import (
	"context"
	"errors"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// outcome is how an exchange ended.
type outcome struct {
	token Token
	err   error
}

// refresh exchanges the refresh token under the lease. It waits as long as Options.Wait and ctx allow; the exchange
// itself goes on after that, since the host may have used up the old refresh token for an answer that is still to come.
func (v *Vault) refresh(ctx context.Context, row store.Tokens, lease store.RefreshLease) (Token, error) {
	op := row.Provider + ": refresh the token"
	detached := context.WithoutCancel(ctx)
	provider := v.providers[row.Provider]
	if provider == nil || provider.OAuth == nil {
		v.leave(detached, row, lease, !lease.TakenOver)
		return Token{}, &providers.Error{Kind: providers.Misconfigured, Op: op, Detail: "the provider is not set up here"}
	}
	refreshToken, err := v.open(op, row.ID, RefreshToken, lease.RefreshToken)
	if err != nil {
		v.leave(detached, row, lease, !lease.TakenOver)
		return Token{}, err
	}
	if refreshToken == "" {
		return Token{}, v.refuse(ctx, row, lease, &providers.Error{Kind: providers.NeedsReauth, Op: op, Detail: "there is no refresh token"})
	}
	if err := v.pay(ctx, row, lease, provider.OAuth.Renewals); err != nil {
		return Token{}, err
	}
	if !v.begin() {
		v.leave(detached, row, lease, !lease.TakenOver)
		return Token{}, errStopping
	}
	answer, gone := make(chan outcome), make(chan struct{})
	defer close(gone)
	go func() {
		defer v.inFlight.Done()
		o := v.exchange(detached, provider.OAuth, row, lease, refreshToken)
		select {
		case answer <- o:
		case <-gone: // nobody is left to doubt a refusal: the next one asks again
			if refused(o.err) {
				v.leave(detached, row, lease, false)
			}
		}
	}()
	timer := time.NewTimer(v.opts.Wait)
	defer timer.Stop()
	select {
	case o := <-answer:
		if refused(o.err) {
			return Token{}, v.refuse(ctx, row, lease, o.err)
		}
		return o.token, o.err
	case <-timer.C:
		v.leave(detached, row, lease, false)
		return Token{}, &providers.Error{Kind: providers.Transient, Op: op, Detail: "the token host has not answered in time"}
	case <-ctx.Done():
		return Token{}, ctx.Err() // the lease stays with the exchange
	}
}

func refused(err error) bool { return providers.KindOf(err) == providers.NeedsReauth }

// exchange speaks to the token host and stores what came. On any failure but a refusal it gives the lease back.
func (v *Vault) exchange(ctx context.Context, oauth *providers.OAuth, row store.Tokens, lease store.RefreshLease, refreshToken string) outcome {
	ctx, cancel := context.WithTimeout(ctx, v.opts.Exchange)
	defer cancel()
	grant, err := oauth.Refresh(ctx, row.AuthServer, refreshToken)
	if e, ok := errors.AsType[*providers.Error](err); ok {
		told := *e
		told.Op = row.Provider + ": " + e.Op
		err = &told
	}
	if grant.AccessToken == "" {
		if !refused(err) {
			v.leave(context.WithoutCancel(ctx), row, lease, settled(err) && !lease.TakenOver)
		}
		return outcome{err: err}
	}
	// An answer with tokens is kept even if something else in it is refused: the old refresh token may be used up.
	stored, storeErr := v.storeGrant(ctx, row, grant)
	switch {
	case storeErr != nil:
		v.opts.Log.Error().Err(storeErr).Stringer("integration_id", row.ID).Str("provider", row.Provider).Msg("new tokens could not be stored")
		return outcome{err: storeErr}
	case !stored:
		return outcome{err: errOvertaken}
	}
	account := account(row)
	if grant.APIDomain != "" {
		account.APIDomain = grant.APIDomain
	}
	return outcome{token: Token{Access: grant.AccessToken, Scheme: oauth.Scheme, Generation: row.Generation + 1, Account: account}, err: err}
}

// storeGrant tries until it has an answer or the exchange's time is up: these tokens exist nowhere else.
func (v *Vault) storeGrant(ctx context.Context, row store.Tokens, grant providers.Grant) (stored bool, err error) {
	tokens := v.sealGrant(row.ID, grant)
	for {
		stored, err = v.store.StoreRefresh(ctx, row.ID, row.Generation, tokens)
		if err == nil || ctx.Err() != nil {
			return stored, err
		}
		timer := time.NewTimer(v.opts.Poll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// settled reports whether the host has answered that it did nothing. A fault of its own, or an answer that can't be read,
// doesn't say so.
func settled(err error) bool {
	e, ok := errors.AsType[*providers.Error](err)
	if !ok || e.Status == 0 || e.Status > 499 { // some hosts refuse with 200
		return false
	}
	switch e.Kind {
	case providers.RateLimited, providers.QuotaExhausted, providers.Misconfigured, providers.Blocked, providers.InvalidRequest:
		return true
	case providers.Transient, providers.NeedsReauth, providers.CursorExpired, providers.ListTooLong, providers.NotFound,
		providers.UnknownOutcome, providers.SchemaChanged, providers.Internal:
	}
	return false
}

// refuse believes a refusal, or learns that the row has moved on. After a takeover the refusal may be of our own making:
// the earlier holder's exchange has used the token up, and its answer is still to be stored. So it is doubted first.
func (v *Vault) refuse(ctx context.Context, row store.Tokens, lease store.RefreshLease, refusal error) error {
	e, ok := errors.AsType[*providers.Error](refusal)
	if !ok {
		return refusal
	}
	if e.Doubtful && (lease.DoubtedFor == nil || *lease.DoubtedFor < v.opts.AskAgain) {
		if err := v.store.DoubtRefresh(context.WithoutCancel(ctx), row.ID, row.Generation, lease.Until); err != nil {
			return err
		}
		told := *e
		told.Kind, told.Variant, told.RetryAt = providers.Transient, "", time.Now().Add(v.opts.AskAgain)
		return &told
	}
	if lease.TakenOver {
		until, held, err := v.store.ExtendRefresh(ctx, row.ID, row.Generation, lease.Until, v.opts.Doubt+v.opts.Lease/4)
		if err != nil {
			return err
		}
		if !held {
			return errOvertaken
		}
		lease.Until = until
		if err := v.doubt(ctx, row); err != nil {
			v.leave(context.WithoutCancel(ctx), row, lease, false)
			return err
		}
	}
	told := *e
	if told.Variant == "" {
		told.Variant = words.VariantRevoked
	}
	done, err := v.store.RefuseRefresh(ctx, row.ID, row.Generation, lease.Until, store.Refusal{Variant: told.Variant, Detail: told.Detail})
	if err != nil {
		return err
	}
	if !done {
		return errOvertaken
	}
	return &told
}

// doubt waits for the earlier holder's answer to be stored, as long as Options.Doubt; nil: it wasn't.
func (v *Vault) doubt(ctx context.Context, row store.Tokens) error {
	for end := time.Now().Add(v.opts.Doubt); time.Now().Before(end); {
		if err := v.pause(ctx, min(v.opts.Poll, time.Until(end))); err != nil {
			return err
		}
		now, err := v.store.Tokens(ctx, row.ID, store.TokenAges{})
		if err != nil {
			return err
		}
		if now.Generation != row.Generation {
			return errOvertaken
		}
	}
	return nil
}

// leave gives the lease back. If that fails it runs out by itself, which says the same as unsettled.
func (v *Vault) leave(ctx context.Context, row store.Tokens, lease store.RefreshLease, settled bool) {
	ctx, cancel := context.WithTimeout(ctx, v.opts.Wait)
	defer cancel()
	if err := v.store.LeaveRefresh(ctx, row.ID, row.Generation, lease.Until, settled); err != nil {
		v.opts.Log.Warn().Err(err).Stringer("integration_id", row.ID).Msg("the refresh lease runs out by itself")
	}
}
