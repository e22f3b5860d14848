package vault

import (
	"context"
	"crypto/sha256"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/store"
)

// grantedToken is what is counted of a refresh token, where its provider keeps only so many of a user.
func (v *Vault) grantedToken(provider, refreshToken string) store.GrantedToken {
	p := v.providers[provider]
	if p == nil || p.OAuth == nil || p.OAuth.KeptTokens == 0 || refreshToken == "" {
		return store.GrantedToken{}
	}
	hash := sha256.Sum256([]byte(refreshToken))
	return store.GrantedToken{Hash: hash[:], Kept: p.OAuth.KeptTokens}
}

// forgetToken notes that a refresh token was withdrawn. That it fails makes a warning come early, and nothing else.
func (v *Vault) forgetToken(ctx context.Context, provider, refreshToken string) {
	token := v.grantedToken(provider, refreshToken)
	if len(token.Hash) == 0 {
		return
	}
	if err := v.store.EndGrantedToken(ctx, provider, token.Hash); err != nil {
		v.opts.Log.Warn().Err(err).Str("provider", provider).Msg("that a refresh token was withdrawn could not be noted")
	}
}

// DropGrant withdraws a grant that is not stored, where it would take a place among its user's.
func (v *Vault) DropGrant(ctx context.Context, provider string, grant providers.Grant) {
	p := v.providers[provider]
	if len(v.grantedToken(provider, grant.RefreshToken).Hash) == 0 || !p.OAuth.RevokeReplaced {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.opts.Revoke)
	defer cancel()
	if err := p.OAuth.Revoke(ctx, grant.AuthServer, grant.RefreshToken); err != nil {
		v.opts.Log.Warn().Err(err).Str("provider", provider).Msg("a grant that is of no use could not be withdrawn")
	}
}

// pay pays a renewal before it is made, where the token host gives only so many: asking beyond them would block the
// refresh token for all. The error is of kind rate_limited, and the lease is given back.
func (v *Vault) pay(ctx context.Context, row store.Tokens, lease store.RefreshLease, limit providers.Renewals) error {
	if limit.Most == 0 {
		return nil
	}
	wait, err := v.store.PayRefresh(ctx, row.ID, row.Generation, limit.Most, limit.In)
	if err == nil && wait == 0 {
		return nil
	}
	v.leave(context.WithoutCancel(ctx), row, lease, !lease.TakenOver)
	if err != nil {
		return err
	}
	return &providers.Error{
		Kind: providers.RateLimited, Op: row.Provider + ": refresh the token", RetryAt: time.Now().Add(wait),
		Detail: "the token host's limit of new tokens is used up",
	}
}
