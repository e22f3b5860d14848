package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Why a one-time token or the state of a consent is refused, beside [ErrNotFound]: nobody made it.
var (
	ErrUsed         = errors.New("used already")
	ErrExpired      = errors.New("expired")
	ErrOtherBrowser = errors.New("begun in another browser")
)

// Connect is what a person means to connect: at whose wish, for which tenant.
type Connect struct {
	TenantID uuid.UUID
	Provider string
	Wanted   *uuid.UUID // the integration that is to be reconnected; nil: none in particular
	Actor    string
}

const insertConnectSession = `
INSERT INTO connect_sessions (token_hash, tenant_id, provider, integration_id, actor, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval) RETURNING expires_at`

// CreateConnectSession returns a one-time token that stands for a connect: a browser's navigation carries no header. Only a
// hash of it is kept.
func (s *Store) CreateConnectSession(ctx context.Context, c Connect, lifetime time.Duration) (token string, expiresAt time.Time, err error) {
	token = randomText()
	err = s.pool.QueryRow(ctx, insertConnectSession, hashSecret(token), c.TenantID, c.Provider, c.Wanted, c.Actor, lifetime).Scan(&expiresAt)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("create connect session: %w", err)
	}
	return token, expiresAt, nil
}

const useConnectSession = `
UPDATE connect_sessions SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
RETURNING tenant_id, provider, integration_id, actor`

const whyNoConnectSession = `SELECT provider, used_at IS NOT NULL, expires_at <= now(), true FROM connect_sessions WHERE token_hash = $1`

// UseConnectSession takes a token, once. The error says why not: [ErrNotFound], [ErrUsed] or [ErrExpired]; of the last two
// the provider is known still.
func (s *Store) UseConnectSession(ctx context.Context, token string) (c Connect, err error) {
	err = s.pool.QueryRow(ctx, useConnectSession, hashSecret(token)).Scan(&c.TenantID, &c.Provider, &c.Wanted, &c.Actor)
	if errors.Is(err, pgx.ErrNoRows) {
		c.Provider, err = s.whyNot(ctx, whyNoConnectSession, hashSecret(token))
	}
	if err != nil {
		return c, fmt.Errorf("use connect session: %w", err)
	}
	return c, nil
}

// Consent is a connect on its way through the provider's page.
type Consent struct {
	Connect

	Verifier string // of PKCE; empty: the provider takes none
}

// BegunConsent are the two secrets of a consent under way: one travels through the provider, the other stays in the browser.
type BegunConsent struct {
	State   string
	Browser string
}

const insertConsent = `
INSERT INTO oauth_states (state_hash, tenant_id, provider, browser_hash, integration_id, actor, pkce_verifier, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), now() + $8::interval)`

// BeginConsent notes a consent under way. Of its secrets only hashes are kept.
func (s *Store) BeginConsent(ctx context.Context, c Consent, lifetime time.Duration) (BegunConsent, error) {
	b := BegunConsent{State: randomText(), Browser: randomText()}
	if _, err := s.pool.Exec(ctx, insertConsent, hashSecret(b.State), c.TenantID, c.Provider, hashSecret(b.Browser), c.Wanted, c.Actor, c.Verifier, lifetime); err != nil {
		return BegunConsent{}, fmt.Errorf("begin consent: %w", err)
	}
	return b, nil
}

// takeConsent is one statement, so that of two callbacks at once only one goes on.
const takeConsent = `
UPDATE oauth_states SET used_at = now()
WHERE state_hash = $1 AND browser_hash = $2 AND used_at IS NULL AND expires_at > now()
RETURNING tenant_id, provider, integration_id, actor, coalesce(pkce_verifier, '')`

const whyNoConsent = `SELECT provider, used_at IS NOT NULL, expires_at <= now(), browser_hash = $2 FROM oauth_states WHERE state_hash = $1`

// TakeConsent takes a consent that comes back, once. The error says why not: [ErrNotFound], [ErrUsed], [ErrExpired], or
// [ErrOtherBrowser], which leaves the consent to the browser that began it; but for the first, the provider is known still.
func (s *Store) TakeConsent(ctx context.Context, b BegunConsent) (c Consent, err error) {
	state, browser := hashSecret(b.State), hashSecret(b.Browser)
	err = s.pool.QueryRow(ctx, takeConsent, state, browser).Scan(&c.TenantID, &c.Provider, &c.Wanted, &c.Actor, &c.Verifier)
	if errors.Is(err, pgx.ErrNoRows) {
		c.Provider, err = s.whyNot(ctx, whyNoConsent, state, browser)
	}
	if err != nil {
		return c, fmt.Errorf("take consent: %w", err)
	}
	return c, nil
}

// whyNot explains a row that could not be taken.
func (s *Store) whyNot(ctx context.Context, sql string, args ...any) (provider string, err error) {
	var used, expired, sameBrowser bool
	err = s.pool.QueryRow(ctx, sql, args...).Scan(&provider, &used, &expired, &sameBrowser)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", ErrNotFound
	case err != nil:
		return "", err
	case used:
		return provider, ErrUsed
	case expired:
		return provider, ErrExpired
	case !sameBrowser:
		return provider, ErrOtherBrowser
	}
	return provider, ErrUsed // it was free when it was asked for: it expires, or is taken, at this moment
}

// EndConsent keeps what came of a consent, and forgets its verifier.
func (s *Store) EndConsent(ctx context.Context, state, result string) error {
	if _, err := s.pool.Exec(ctx, `UPDATE oauth_states SET result = $2, pkce_verifier = NULL WHERE state_hash = $1`, hashSecret(state), result); err != nil {
		return fmt.Errorf("end consent: %w", err)
	}
	return nil
}
