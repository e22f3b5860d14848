package vault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// NoneFailed is what a caller of [Vault.Token] passes that has not seen a token fail.
const NoneFailed int64 = -1

// Token is an access token that may be sent.
type Token struct {
	Access     string
	Scheme     string // of the Authorization header; empty: Bearer
	Generation int64
	Account    providers.Account
}

// String hides the token.
func (t Token) String() string { return fmt.Sprintf("token of generation %d", t.Generation) }

// GoString hides the token.
func (t Token) GoString() string { return t.String() }

// MarshalText hides the token.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// ErrInactive says that the integration is paused, and its token too old to be sent, or disconnected.
var ErrInactive = errors.New("the integration is paused or disconnected")

// errOvertaken says that the row has changed under a refresh: what it holds now counts.
var errOvertaken = errors.New("another refresh was faster")

// Token gives an access token of a later generation than the one that failed ([NoneFailed]: of any). It exchanges the
// refresh token if fewer than Options.Early remain; only one caller does, in whatever process, and the others wait for
// what it stores.
//
// The error is a [*providers.Error] where a provider or a token is the cause: needs_reauth once the refusal has been
// believed, which has then ended what the integration had open; misconfigured if our app is refused, or a stored token
// doesn't open, which changes nothing; otherwise what the token host said. It is [ErrInactive] or [store.ErrNotFound]
// where there is nothing to renew.
func (v *Vault) Token(ctx context.Context, integration uuid.UUID, failed int64) (Token, error) {
	const nobody = -1
	waitedFor := int64(nobody)
	for {
		row, err := v.store.Tokens(ctx, integration, store.TokenAges{Early: v.opts.Early, Spare: v.opts.Spare, Rest: v.opts.Rest})
		if err != nil {
			return Token{}, err
		}
		if err := reauth(row); err != nil {
			return Token{}, err
		}
		later := row.Generation > failed
		switch {
		case later && (row.Fresh || row.Usable && row.Tried):
			return v.stored(row)
		case row.Status != store.Connected:
			return Token{}, ErrInactive
		case row.Busy:
			waitedFor = row.Generation
			if err := v.pause(ctx, v.opts.Poll/2+rand.N(v.opts.Poll)); err != nil { //nolint:gosec // spreads callers, guards nothing
				return Token{}, err
			}
			continue
		case waitedFor == row.Generation && rand.IntN(4) > 0: //nolint:gosec // the same
			// Its holder failed or is gone: not everyone who waited asks the host in turn.
			return Token{}, &providers.Error{Kind: providers.Transient, Op: row.Provider + ": refresh the token", Detail: "another refresh of this account failed"}
		}
		if err := v.failures.of(integration, row.Generation); err != nil {
			return Token{}, err
		}
		lease, taken, err := v.store.TakeRefresh(ctx, integration, row.Generation, v.opts.Lease)
		if err != nil {
			return Token{}, err
		}
		if !taken {
			continue // someone was faster
		}
		token, err := v.refresh(ctx, row, lease)
		if errors.Is(err, errOvertaken) {
			continue
		}
		if err != nil && later && row.Usable && providers.KindOf(err) == providers.Transient {
			return v.stored(row) // the token in hand outlives this trouble, perhaps
		}
		v.failures.note(integration, row.Generation, err, v.opts.Echo)
		return token, err
	}
}

// reauth is the error of a row that needs reconnection, or nil.
func reauth(row store.Tokens) error {
	switch row.Status {
	case store.NeedsReauth:
		return &providers.Error{Kind: providers.NeedsReauth, Op: row.Provider + ": read the token", Variant: row.StatusReason, Detail: "the account needs reconnection"}
	case store.Disconnected:
		return ErrInactive
	}
	return nil
}

func (v *Vault) stored(row store.Tokens) (Token, error) {
	access, err := v.open(row.Provider+": read the token", row.ID, AccessToken, row.AccessToken)
	if err != nil {
		return Token{}, err
	}
	return Token{Access: access, Scheme: v.scheme(row.Provider), Generation: row.Generation, Account: account(row)}, nil
}

func account(row store.Tokens) providers.Account {
	return providers.Account{ExternalID: row.ExternalAccountID, APIDomain: row.APIDomain, AuthServer: row.AuthServer}
}

// pause waits, unless the caller or the vault stops.
func (v *Vault) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-v.stop:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errStopping is what a caller gets who still wants a new token while the process ends.
var errStopping = &providers.Error{Kind: providers.Transient, Op: "refresh the token", Detail: "the process is stopping"}
