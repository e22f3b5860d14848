package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// Connection is a consent that was given, to be stored.
type Connection struct {
	TenantID uuid.UUID
	Provider string
	Identity providers.Identity
	Grant    providers.Grant // without a refresh token if the provider gave none again; then the stored one stays
	Wanted   uuid.UUID       // the integration that was to be reconnected; zero: none
}

// StoreGrant stores a consent: the account's row is connected, and its incidents are closed. A first connect syncs after
// Options.FirstSync, a repeated one catches up at once. [store.ErrNoRefreshToken] if neither the grant nor the account's
// row has one: what would be connected ends with its access token.
func (v *Vault) StoreGrant(ctx context.Context, c Connection) (integration uuid.UUID, result store.ConnectResult, err error) {
	account := store.GrantedAccount{
		TenantID: c.TenantID, Provider: c.Provider, ExternalID: c.Identity.ExternalID, Name: c.Identity.Name,
		Wanted: c.Wanted, FirstSync: v.opts.FirstSync, Token: v.grantedToken(c.Provider, c.Grant.RefreshToken),
	}
	integration, result, replaced, err := v.store.StoreGrant(ctx, account, func(id uuid.UUID) (store.NewTokens, error) { return v.sealGrant(id, c.Grant), nil })
	if err == nil && c.Grant.RefreshToken != "" {
		v.revokeReplaced(ctx, c.Provider, integration, replaced, c.Grant.RefreshToken)
	}
	return integration, result, err
}

// revokeReplaced withdraws the refresh token that a reconnect has replaced, where the provider would keep it beside the
// new one. That it fails costs one place among the provider's tokens.
func (v *Vault) revokeReplaced(ctx context.Context, provider string, integration uuid.UUID, replaced store.Replaced, granted string) {
	p := v.providers[provider]
	if p == nil || p.OAuth == nil || !p.OAuth.RevokeReplaced || replaced.RefreshToken == "" {
		return
	}
	old, err := v.keys.Open(integration, RefreshToken, replaced.RefreshToken)
	if err != nil || old == granted {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, v.opts.Revoke)
	defer cancel()
	if err := p.OAuth.Revoke(ctx, replaced.AuthServer, old); err != nil {
		v.opts.Log.Warn().Err(err).Stringer("integration_id", integration).Str("provider", provider).Msg("a refresh token that was replaced could not be withdrawn")
		return
	}
	v.forgetToken(ctx, provider, old)
}

// Withdrawal is what came of the permission at the provider when an integration was disconnected.
type Withdrawal string

// What came of it.
const (
	Withdrawn       Withdrawal = "withdrawn"
	WithdrawalKept  Withdrawal = "kept"   // another integration uses the same account
	WithdrawalNone  Withdrawal = "none"   // there was none, or the provider has no way to withdraw it
	WithdrawalError Withdrawal = "failed" // the provider didn't take it; the account's owner can do it there
)

// Disconnect ends an integration's subscription to notifications, if the provider answers in time, erases its tokens and
// ends what it has open, as cancelled; from then on, no request is made for it. Then the permission is withdrawn at the provider, unless another integration uses the same account; that this fails
// doesn't undo the disconnect. [store.ErrNotFound] if the tenant (nil: anybody) has no such integration.
func (v *Vault) Disconnect(ctx context.Context, tenant *uuid.UUID, integration uuid.UUID) (Withdrawal, error) {
	v.unsubscribe(ctx, tenant, integration)
	erased, was, err := v.store.EraseTokens(ctx, tenant, integration, "", store.RunEnd{Status: store.Failed, Code: "cancelled"})
	if err != nil {
		return "", err
	}
	if !was {
		return WithdrawalNone, nil
	}
	return v.withdraw(context.WithoutCancel(ctx), integration, erased)
}

func (v *Vault) withdraw(ctx context.Context, integration uuid.UUID, erased store.Erased) (Withdrawal, error) {
	provider := v.providers[erased.Provider]
	if provider == nil || provider.OAuth == nil || provider.OAuth.RevokeURL == "" || erased.RefreshToken == "" {
		return WithdrawalNone, nil
	}
	refreshToken, err := v.keys.Open(integration, RefreshToken, erased.RefreshToken)
	if err != nil {
		return WithdrawalError, nil //nolint:nilerr // the disconnect stands
	}
	shared, err := v.store.AccountShared(ctx, erased.Provider, erased.ExternalAccountID, integration)
	if err != nil {
		return WithdrawalError, nil //nolint:nilerr // the same
	}
	if shared {
		return WithdrawalKept, nil
	}
	ctx, cancel := context.WithTimeout(ctx, v.opts.Revoke)
	defer cancel()
	if err := provider.OAuth.Revoke(ctx, erased.AuthServer, refreshToken); err != nil {
		v.opts.Log.Warn().Err(err).Stringer("integration_id", integration).Str("provider", erased.Provider).Msg("the permission could not be withdrawn")
		return WithdrawalError, nil
	}
	v.forgetToken(ctx, erased.Provider, refreshToken)
	return Withdrawn, nil
}

// ReasonUninstalled is the status_reason of an integration whose owner removed our app at the provider.
const ReasonUninstalled = "uninstalled"

// Uninstalled disconnects every integration of an account whose owner has removed our app at the provider, and ends what
// they had open as needs_reauth. It returns how many there were; a repeated call finds none.
func (v *Vault) Uninstalled(ctx context.Context, provider, externalAccountID string) (int, error) {
	ids, err := v.store.IntegrationsOfAccount(ctx, provider, externalAccountID)
	if err != nil {
		return 0, err
	}
	end := store.RunEnd{Status: store.Failed, Code: store.NeedsReauth, Variant: words.VariantRevoked}
	n := 0
	for _, id := range ids {
		_, was, err := v.store.EraseTokens(ctx, nil, id, ReasonUninstalled, end)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, fmt.Errorf("uninstall: %w", err)
		}
		if was {
			n++
		}
	}
	return n, nil
}
