// Package inspect reads an account at its provider beside any run, for a person who waits for the answer: what a sync would
// cost and do, whether what is stored is what is there, what a new account holds.
//
// It decides by the rules that runs decide by, and writes nothing of what it reads. Its calls do count: what they cost, and
// what the provider said of limits, is noted in the account's budget, which would lie otherwise; and a token that has
// ended is renewed. It names no provider and holds no SQL.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
	"example.com/enlace/store/vault"
)

// Inspector reads accounts. It is safe for concurrent use.
type Inspector struct {
	store     *store.Store
	vault     *vault.Vault
	providers map[string]*providers.Provider
	log       zerolog.Logger
}

// New makes an inspector of the accounts of some providers.
func New(s *store.Store, v *vault.Vault, list map[string]*providers.Provider, log zerolog.Logger) *Inspector {
	return &Inspector{store: s, vault: v, providers: list, log: log}
}

// reader reads one account, one call after another.
type reader struct {
	*Inspector

	integration store.Integration
	provider    *providers.Provider
	account     string
	purse       *purse
	clock       store.DatabaseClock
	client      *vault.Client
	source      providers.ContactSource
	took        time.Duration // of all calls
	calls       int64         // of clients before the present one
	refreshed   bool
}

// open begins to read an integration. The error is [vault.ErrInactive] unless it is connected, and a [*providers.Error]
// where the provider is not set up here, or wants no call of the account for now.
func (i *Inspector) open(ctx context.Context, in store.Integration) (*reader, error) {
	if in.Status != store.Connected {
		return nil, vault.ErrInactive
	}
	p := i.providers[in.Provider]
	if p == nil || p.Contacts == nil {
		return nil, &providers.Error{Kind: providers.Misconfigured, Variant: words.VariantApp, Op: "open " + in.Provider, Detail: "this provider is not configured here"}
	}
	r := &reader{Inspector: i, integration: in, provider: p, account: in.AccountID()}
	r.purse = newPurse(i.store, p, r.account)
	now, err := i.store.Now(ctx)
	if err != nil {
		return nil, err
	}
	r.clock = store.NewDatabaseClock(now)
	r.connect()
	return r, nil
}

func (r *reader) connect() {
	r.release()
	if r.client != nil {
		r.calls += r.client.Calls()
	}
	in := r.integration
	account := in.Account()
	account.ExternalID = r.account
	r.client = r.vault.Client(in.ID, account)
	r.source = r.provider.Contacts(account, r.client.Client)
}

func (r *reader) release() {
	if source, ok := r.source.(io.Closer); ok {
		if err := source.Close(); err != nil {
			r.log.Warn().Err(err).Msg("could not close the contact source")
		}
	}
	r.source = nil
}

// close ends the reading, and notes what it has cost and what the provider said of limits. cause is the error with which
// it ended, or nil.
func (r *reader) close(ctx context.Context, cause error) {
	r.release()
	if !r.purse.used {
		return
	}
	ctx = context.WithoutCancel(ctx) // also for a caller who has left: the calls were made
	err := r.store.Tx(ctx, func(tx pgx.Tx) error {
		if err := r.purse.note(ctx, tx); err != nil {
			return err
		}
		e, ok := errors.AsType[*providers.Error](cause)
		if !ok || e.Status == 0 || e.Kind != providers.RateLimited && e.Kind != providers.QuotaExhausted || e.RetryAt.IsZero() {
			return nil
		}
		code, _ := words.FromKind(string(e.Kind))
		_, err := r.store.BlockAccount(ctx, tx, r.purse.key, max(time.Until(e.RetryAt), time.Second), string(code), r.purse.answered)
		return err
	})
	if err != nil {
		r.log.Warn().Err(err).Stringer("integration_id", r.integration.ID).Msg("what was asked of an account could not be noted")
	}
}

// spentCalls are the calls made so far.
func (r *reader) spentCalls() int64 { return r.calls + r.client.Calls() }

// read does one provider call, again with another token if its error says that this may help.
func (r *reader) read(ctx context.Context, call func(ctx context.Context, source providers.ContactSource) (providers.Observation, error)) (rules.Read, error) {
	got, err := r.readOnce(ctx, call)
	e, ok := errors.AsType[*providers.Error](err)
	if !ok || !e.RefreshFirst || r.refreshed {
		return got, err
	}
	r.refreshed = true
	if _, err := r.vault.Token(ctx, r.integration.ID, r.client.Generation()); err != nil {
		return got, fmt.Errorf("renew token: %w", err)
	}
	if r.integration, err = r.store.AnyIntegration(ctx, r.integration.ID); err != nil {
		return got, err
	}
	r.connect()
	return r.readOnce(ctx, call)
}

func (r *reader) readOnce(ctx context.Context, call func(ctx context.Context, source providers.ContactSource) (providers.Observation, error)) (got rules.Read, err error) {
	began := time.Now()
	got.Begun = r.clock.Now()
	seen, err := call(providers.WithPayer(ctx, r.purse), r.source)
	got.Done = r.clock.Now()
	r.took += time.Since(began)
	r.purse.learn(seen.Usage, err == nil)
	return got, err
}

// list reads a page.
func (r *reader) list(ctx context.Context, req providers.ListRequest) (page providers.Page, got rules.Read, err error) {
	got, err = r.read(ctx, func(ctx context.Context, source providers.ContactSource) (_ providers.Observation, err error) {
		page, err = source.ListContacts(ctx, req)
		return page.Observation, err
	})
	return page, got, err
}

// one is a confirming read. Gone says that the record is absent, or that the provider calls it deleted; bad, that it is
// there and can't be understood.
func (r *reader) one(ctx context.Context, id string) (c providers.Contact, gone, bad bool, err error) {
	_, err = r.read(ctx, func(ctx context.Context, source providers.ContactSource) (seen providers.Observation, err error) {
		c, seen, err = source.ReadContact(ctx, id)
		return seen, err
	})
	e, ok := errors.AsType[*providers.Error](err)
	switch {
	case err == nil:
		return c, c.Deleted, false, nil
	case ok && e.Kind == providers.NotFound:
		return c, true, false, nil
	case ok && e.Record != nil:
		return c, false, true, nil
	}
	return c, false, false, err
}

// count asks the provider how many contacts it has; nil: it has no such call.
func (r *reader) count(ctx context.Context) (*int64, error) {
	if _, ok := r.source.(providers.ContactCounter); !ok {
		return nil, nil //nolint:nilnil // it is not known
	}
	var n int64
	_, err := r.read(ctx, func(ctx context.Context, source providers.ContactSource) (seen providers.Observation, err error) {
		counter, ok := source.(providers.ContactCounter)
		if !ok {
			return seen, errors.New("the source counts no more")
		}
		n, seen, err = counter.CountContacts(ctx)
		return seen, err
	})
	return &n, err
}

// value is what p points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
