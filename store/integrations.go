package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The states of an integration. Those of is_active follow: it is false when paused or disconnected.
const (
	Connected    = "connected"
	NeedsReauth  = "needs_reauth"
	Paused       = "paused"
	Disconnected = "disconnected"
)

// Integration is one account of one provider, connected by one tenant. Its tokens are not part of it: only the vault
// reads them.
type Integration struct {
	ID                  uuid.UUID       `json:"id"`
	TenantID            uuid.UUID       `json:"tenant_id"`
	Provider            string          `json:"provider"`
	Status              string          `json:"status"`
	StatusReason        *string         `json:"status_reason"`
	IsActive            bool            `json:"is_active"`
	ExternalAccountID   *string         `json:"external_account_id"`
	ExternalAccountName *string         `json:"external_account_name"`
	APIDomain           *string         `json:"-"`
	AuthServer          *string         `json:"-"`
	Scopes              []string        `json:"scopes"`
	Metadata            json.RawMessage `json:"metadata"`
	Schedule            string          `json:"schedule"`
	NextSyncAt          *time.Time      `json:"next_sync_at"`
	WindowEnd           *time.Time      `json:"-"`
	DeletedUntil        *time.Time      `json:"-"`
	Watermark           *time.Time      `json:"watermark"`
	SweptAt             *time.Time      `json:"swept_at"`
	ExpiresAt           *time.Time      `json:"expires_at"`
	RefreshedAt         *time.Time      `json:"refreshed_at"`
	RefreshLeaseUntil   *time.Time      `json:"-"`
	ContactsFound       *int64          `json:"contacts_found" doc:"Contacts that the provider had when the account was connected; null: they were not looked at."`
	ContactsFoundMore   bool            `json:"contacts_found_more" doc:"contacts_found is at least so many: the provider doesn't count."`
	CreatedAt           time.Time       `json:"created_at"`
	UpdatedAt           time.Time       `json:"updated_at"`
}

const integrationColumns = `i.id, i.tenant_id, i.provider, i.status, i.status_reason, coalesce(i.is_active, true) AS is_active, i.external_account_id,
    i.external_account_name, i.api_domain, i.auth_server, i.scopes, coalesce(i.metadata, '{}'::jsonb) AS metadata, i.schedule, i.next_sync_at, i.window_end,
    i.deleted_until, i.watermark, i.swept_at, i.expires_at, i.refreshed_at, i.refresh_lease_until, i.contacts_found, i.contacts_found_more, coalesce(i.created_at, 'epoch') AS created_at,
    coalesce(i.updated_at, 'epoch') AS updated_at`

const readIntegration = `SELECT ` + integrationColumns + ` FROM integrations i WHERE i.id = $1 AND ($2::uuid IS NULL OR i.tenant_id = $2)`

// Integration reads one of a tenant's integrations.
func (s *Store) Integration(ctx context.Context, tenant, id uuid.UUID) (Integration, error) {
	return s.integration(ctx, id, &tenant)
}

// AnyIntegration reads an integration whatever its tenant: for workers and admins.
func (s *Store) AnyIntegration(ctx context.Context, id uuid.UUID) (Integration, error) {
	return s.integration(ctx, id, nil)
}

func (s *Store) integration(ctx context.Context, id uuid.UUID, tenant *uuid.UUID) (Integration, error) {
	return single(ctx, s.pool, "read integration", pgx.RowToStructByPos[Integration], readIntegration, id, tenant)
}

// After is a place in a list that is ordered by time, newest first, then by id. The zero value is the beginning.
type After struct {
	At time.Time `json:"at"`
	ID uuid.UUID `json:"id"`
}

func (a After) args() (at *time.Time, id *uuid.UUID) {
	if a.At.IsZero() {
		return nil, nil
	}
	return &a.At, &a.ID
}

const listIntegrations = `SELECT ` + integrationColumns + ` FROM integrations i
WHERE ($1::uuid IS NULL OR i.tenant_id = $1) AND ($2::text = '' OR i.provider = $2)
  AND ($3::timestamptz IS NULL OR (coalesce(i.created_at, 'epoch'), i.id) < ($3, $4))
ORDER BY coalesce(i.created_at, 'epoch') DESC, i.id DESC LIMIT $5`

// ListIntegrations lists a tenant's integrations (nil: everybody's), newest first; provider narrows it unless empty.
func (s *Store) ListIntegrations(ctx context.Context, tenant *uuid.UUID, provider string, after After, limit int) ([]Integration, error) {
	at, id := after.args()
	return all(ctx, s.pool, "list integrations", pgx.RowToStructByPos[Integration], listIntegrations, tenant, provider, at, id, limit)
}

// IntegrationChange is what may be changed by a person; nil leaves a field as it is.
type IntegrationChange struct {
	Paused     *bool
	Schedule   *string
	NextSyncAt *time.Time // of the new schedule
	Metadata   json.RawMessage
	Reason     string // of the pause, such as "paused by Ana"
}

const changeIntegration = `
UPDATE integrations i SET
    status = CASE WHEN $3::boolean IS NULL THEN status
        WHEN $3 AND status IN ('connected', 'needs_reauth') THEN 'paused'
        WHEN NOT $3 AND status = 'paused' THEN CASE WHEN access_token IS NULL AND external_account_id IS NOT NULL THEN 'needs_reauth' ELSE 'connected' END
        ELSE status END,
    status_reason = CASE WHEN $3 AND status IN ('connected', 'needs_reauth') THEN nullif($7, '') WHEN NOT $3 AND status = 'paused' THEN NULL
        ELSE status_reason END,
    schedule = coalesce($4, schedule), next_sync_at = coalesce($5, CASE WHEN NOT $3 AND status = 'paused' THEN now() ELSE next_sync_at END),
    metadata = coalesce($6, metadata)
WHERE i.id = $1 AND ($2::uuid IS NULL OR i.tenant_id = $2) RETURNING ` + integrationColumns

// ChangeIntegration pauses, resumes, reschedules or annotates an integration. Resuming one that is paused makes it due
// at once, so that it catches up by itself, unless it is given a schedule as well: its next tick is then the schedule's.
// One that isn't paused stays as it is. Who pauses also ends the active run, see jobs.
func (s *Store) ChangeIntegration(ctx context.Context, tx pgx.Tx, tenant *uuid.UUID, id uuid.UUID, c IntegrationChange) (Integration, error) {
	return single(ctx, tx, "change integration", pgx.RowToStructByPos[Integration], changeIntegration, id, tenant, c.Paused, c.Schedule, c.NextSyncAt, c.Metadata, c.Reason)
}

// lockIntegration is the first statement of each transaction that creates, ends or promotes a run. NO KEY: contacts'
// foreign key takes FOR KEY SHARE on this row while a page holds the run's lock, and FOR UPDATE would deadlock with it.
const lockIntegration = `SELECT tenant_id, provider, status FROM integrations WHERE id = $1 AND ($2::uuid IS NULL OR tenant_id = $2) FOR NO KEY UPDATE`

// Locked is what a transaction knows of the integration that it has locked.
type Locked struct {
	ID       uuid.UUID
	TenantID uuid.UUID
	Provider string
	Status   string
}

// LockIntegration locks an integration for the rest of the transaction: before its runs, before their jobs.
func (s *Store) LockIntegration(ctx context.Context, tx pgx.Tx, tenant *uuid.UUID, id uuid.UUID) (Locked, error) {
	l := Locked{ID: id}
	_, err := one(l, tx.QueryRow(ctx, lockIntegration, id, tenant).Scan(&l.TenantID, &l.Provider, &l.Status))
	if err != nil {
		return l, fmt.Errorf("lock integration: %w", err)
	}
	return l, nil
}

const liveContacts = `SELECT count(*) FROM contacts WHERE integration_id = $1 AND deleted_at IS NULL`

// LiveContacts counts an integration's contacts, tombstones left out.
func (s *Store) LiveContacts(ctx context.Context, integration uuid.UUID) (n int64, err error) {
	if err := s.pool.QueryRow(ctx, liveContacts, integration).Scan(&n); err != nil {
		return 0, fmt.Errorf("count contacts: %w", err)
	}
	return n, nil
}

const moveSandbox = `
UPDATE integrations SET api_domain = regexp_replace(api_domain, '^https?://[^/]+/sandbox/', $1 || '/sandbox/')
WHERE api_domain ~ '^https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/sandbox/'`

// MoveSandbox says that the sandbox on this machine is reached at another base URL than when its accounts were connected.
func (s *Store) MoveSandbox(ctx context.Context, base string) error {
	if _, err := s.pool.Exec(ctx, moveSandbox, base); err != nil {
		return fmt.Errorf("move sandbox: %w", err)
	}
	return nil
}

const servesOthers = `SELECT EXISTS (SELECT FROM integrations WHERE tenant_id <> $1)`

// ServesOthers reports whether any tenant but this one has an integration.
func (s *Store) ServesOthers(ctx context.Context, tenant uuid.UUID) (others bool, err error) {
	if err := s.pool.QueryRow(ctx, servesOthers, tenant).Scan(&others); err != nil {
		return false, fmt.Errorf("look for other tenants: %w", err)
	}
	return others, nil
}
