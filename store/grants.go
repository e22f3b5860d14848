package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// GrantedAccount is an account that a person of the tenant has just given access to.
type GrantedAccount struct {
	TenantID   uuid.UUID
	Provider   string
	ExternalID string
	Name       string
	Wanted     uuid.UUID     // the integration that was to be reconnected; zero: none
	FirstSync  time.Duration // from a first connect to the first scheduled sync

	Token GrantedToken
}

// ConnectResult is what came of a consent, in the words of the landing page.
type ConnectResult string

// The results of a consent that was given.
const (
	ResultConnected    ConnectResult = "connected"
	ResultReconnected  ConnectResult = "reconnected"
	ResultOtherAccount ConnectResult = "other_account" // connected, but another account than the wanted integration's
)

// grantTries bounds how often a connect that lost a race against another one looks again.
const grantTries = 3

// ErrNoRefreshToken says that an account would be connected without a way to renew its access token.
var ErrNoRefreshToken = errors.New("there is no refresh token")

// Replaced is what a grant has taken the place of; empty: nothing.
type Replaced struct {
	RefreshToken string // sealed
	AuthServer   string
}

var errRaced = errors.New("another connect of the same account was faster")

// StoreGrant gives an account its row: its own if the tenant has it already, else one of the provider that has no account
// id yet, else a new one. Seal makes the tokens for that row. The generation grows, the row is connected, and the incidents
// that a connect mends are closed, in one transaction. [ErrNoRefreshToken] if neither the grant nor the account's own row
// has one; then nothing changed.
func (s *Store) StoreGrant(ctx context.Context, g GrantedAccount, seal func(id uuid.UUID) (NewTokens, error)) (id uuid.UUID, result ConnectResult, was Replaced, err error) {
	for range grantTries {
		err = s.Tx(ctx, func(tx pgx.Tx) error {
			id, result, was, err = s.storeGrant(ctx, tx, g, seal)
			return err
		})
		if !errors.Is(err, errRaced) {
			break
		}
	}
	if err != nil {
		return uuid.Nil, "", Replaced{}, fmt.Errorf("store grant: %w", err)
	}
	return id, result, was, nil
}

// findAccount locks the row that an account belongs in, best first: its own, the wanted one, one that is switched on. The
// last two only while they have no account id.
const findAccount = `
SELECT id, external_account_id IS NOT NULL, coalesce(refresh_token, ''), coalesce(auth_server, '') FROM integrations
WHERE tenant_id = $1 AND provider = $2 AND (external_account_id = $3 OR external_account_id IS NULL)
ORDER BY external_account_id IS NULL, id <> $4, is_active DESC NULLS LAST, updated_at DESC NULLS LAST, id
LIMIT 1 FOR NO KEY UPDATE`

const wantedExists = `SELECT EXISTS (SELECT FROM integrations WHERE id = $1 AND tenant_id = $2 AND provider = $3)`

const insertGrant = `
INSERT INTO integrations (id, tenant_id, provider, external_account_id, external_account_name, access_token, refresh_token, expires_at, scopes,
    api_domain, auth_server, token_generation, refreshed_at, next_sync_at)
VALUES ($1, $2, $3, $4, nullif($5, ''), $6, nullif($7, ''), clock_timestamp() + $8::interval, coalesce($9::text[], '{}'),
    nullif($10, ''), nullif($11, ''), 1, clock_timestamp(), clock_timestamp() + $12::interval)
ON CONFLICT (tenant_id, provider, external_account_id) WHERE external_account_id IS NOT NULL DO NOTHING`

const updateGrant = `
UPDATE integrations SET external_account_id = $2, external_account_name = coalesce(nullif($3, ''), external_account_name),
    access_token = $4, refresh_token = coalesce(nullif($5, ''), refresh_token), expires_at = clock_timestamp() + $6::interval,
    scopes = coalesce($7::text[], scopes), api_domain = coalesce(nullif($8, ''), api_domain),
    auth_server = nullif($9, ''), token_generation = token_generation + 1, refresh_lease_until = NULL, refresh_doubted_at = NULL, refreshed_at = clock_timestamp(),
    status = 'connected', status_reason = NULL, next_sync_at = clock_timestamp() + $10::interval
WHERE id = $1`

func (s *Store) storeGrant(ctx context.Context, tx pgx.Tx, g GrantedAccount, seal func(id uuid.UUID) (NewTokens, error)) (id uuid.UUID, result ConnectResult, was Replaced, err error) {
	result = ResultConnected
	var wanted, known bool
	if err := tx.QueryRow(ctx, wantedExists, g.Wanted, g.TenantID, g.Provider).Scan(&wanted); err != nil {
		return uuid.Nil, "", was, fmt.Errorf("look for the wanted integration: %w", err)
	}
	err = tx.QueryRow(ctx, findAccount, g.TenantID, g.Provider, g.ExternalID, g.Wanted).Scan(&id, &known, &was.RefreshToken, &was.AuthServer)
	if errors.Is(err, pgx.ErrNoRows) {
		id = newID()
	} else if err != nil {
		return uuid.Nil, "", was, fmt.Errorf("look for the account: %w", err)
	}
	found := err == nil
	first := g.FirstSync
	if found && (known || id == g.Wanted) {
		result, first = ResultReconnected, 0 // it catches up by itself
	}
	if wanted && id != g.Wanted {
		result = ResultOtherAccount
	}
	t, err := seal(id)
	if err != nil {
		return uuid.Nil, "", was, err
	}
	if t.RefreshToken == "" && (!known || was.RefreshToken == "") { // another account's would renew another account
		return uuid.Nil, "", was, ErrNoRefreshToken
	}
	if !found {
		tag, err := tx.Exec(ctx, insertGrant, id, g.TenantID, g.Provider, g.ExternalID, g.Name, t.AccessToken, t.RefreshToken, t.Lifetime, t.Scopes,
			t.APIDomain, t.AuthServer, first)
		if err == nil && tag.RowsAffected() == 0 {
			err = errRaced
		}
		if err == nil {
			err = s.recordToken(ctx, tx, g, id)
		}
		return id, result, was, err
	}
	if _, err := tx.Exec(ctx, updateGrant, id, g.ExternalID, g.Name, t.AccessToken, t.RefreshToken, t.Lifetime, t.Scopes, t.APIDomain, t.AuthServer, first); err != nil {
		return uuid.Nil, "", was, err
	}
	if _, err := tx.Exec(ctx, lookAfterSubscription, id); err != nil {
		return uuid.Nil, "", was, err
	}
	if err := s.recordToken(ctx, tx, g, id); err != nil {
		return uuid.Nil, "", was, err
	}
	return id, result, was, s.CloseIncidents(ctx, tx, id, NeedsReauth, "misconfigured")
}

// disconnect erases the tokens. The generation grows, so that an exchange under way stores nothing any more.
const disconnect = `
UPDATE integrations i SET status = 'disconnected', status_reason = nullif($2, ''), access_token = NULL, refresh_token = NULL, expires_at = NULL,
    token_generation = i.token_generation + 1, refresh_lease_until = NULL, refresh_doubted_at = NULL, next_sync_at = NULL
FROM (SELECT id, access_token, refresh_token FROM integrations WHERE id = $1) old
WHERE i.id = old.id AND i.status <> 'disconnected'
RETURNING coalesce(i.external_account_id, ''), coalesce(i.auth_server, ''), coalesce(old.access_token, ''), coalesce(old.refresh_token, '')`

const closeAllIncidents = `UPDATE incidents SET closed_at = clock_timestamp() WHERE integration_id = $1 AND closed_at IS NULL`

// Erased is what an integration had before it was disconnected.
type Erased struct {
	Provider          string
	ExternalAccountID string
	AuthServer        string
	AccessToken       string // sealed
	RefreshToken      string // sealed
}

// EraseTokens disconnects an integration of the tenant (nil: of any): its tokens and its channel are gone, what it had open
// ends so, and its incidents are closed, in one transaction. False: it was disconnected already, and nothing changed.
func (s *Store) EraseTokens(ctx context.Context, tenant *uuid.UUID, id uuid.UUID, reason string, end RunEnd) (e Erased, erased bool, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		in, err := s.LockIntegration(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		e.Provider = in.Provider
		err = tx.QueryRow(ctx, disconnect, id, reason).Scan(&e.ExternalAccountID, &e.AuthServer, &e.AccessToken, &e.RefreshToken)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		erased = true
		for _, sql := range []string{closeAllIncidents, forgetQueue, forgetChanges, forgetSubscription} {
			if _, err := tx.Exec(ctx, sql, id); err != nil {
				return err
			}
		}
		return s.EndAllRuns(ctx, tx, in, end)
	})
	if err != nil {
		return e, false, fmt.Errorf("erase tokens: %w", err)
	}
	return e, erased, nil
}

// sharedAccount counts rows without an account id as sharing one: better a permission that stays than one that is missed.
const sharedAccount = `SELECT EXISTS (SELECT FROM integrations
WHERE provider = $1 AND external_account_id IS NOT DISTINCT FROM nullif($2, '') AND id <> $3 AND status <> 'disconnected')`

// AccountShared reports whether another integration, of whatever tenant, still lives on the account's permission.
func (s *Store) AccountShared(ctx context.Context, provider, externalID string, id uuid.UUID) (shared bool, err error) {
	if err := s.pool.QueryRow(ctx, sharedAccount, provider, externalID, id).Scan(&shared); err != nil {
		return false, fmt.Errorf("look for others of the account: %w", err)
	}
	return shared, nil
}

const ofAccount = `SELECT id FROM integrations WHERE provider = $1 AND external_account_id = $2 AND status <> 'disconnected' ORDER BY id`

// IntegrationsOfAccount lists the integrations, of all tenants, that are connected to one account of a provider.
func (s *Store) IntegrationsOfAccount(ctx context.Context, provider, externalID string) ([]uuid.UUID, error) {
	return all(ctx, s.pool, "list integrations of account", pgx.RowTo[uuid.UUID], ofAccount, provider, externalID)
}
