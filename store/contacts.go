package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.com/enlace/providers"
	"example.com/enlace/store/rules"
)

// readMarks reads what the rules need of a page's rows. The lateral join reads the unique index once per id whatever the
// statistics say; an = ANY once read the whole table of a first sync for every page.
const readMarks = `
SELECT c.external_id, c.deleted_at IS NOT NULL, c.content_hash, c.remote_updated_at, c.observed_at, c.last_run_id
FROM unnest($2::text[]) AS u (id)
CROSS JOIN LATERAL (SELECT * FROM contacts WHERE integration_id = $1 AND external_id = u.id LIMIT 1) AS c`

// collectMarks reads the rows of [readMarks].
func collectMarks(rows pgx.Rows, run uuid.UUID) (map[string]*rules.Row, error) {
	marks := make(map[string]*rules.Row)
	var (
		id      string
		row     rules.Row
		hash    []byte
		updated *time.Time
		last    *uuid.UUID
	)
	_, err := pgx.ForEachRow(rows, []any{&id, &row.Deleted, &hash, &updated, &row.ObservedAt, &last}, func() error {
		r := row
		copy(r.Hash[:], hash)
		r.UpdatedAt = time.Time{}
		if updated != nil {
			r.UpdatedAt = *updated
		}
		r.Mine = last != nil && *last == run
		marks[id] = &r
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read stored contacts: %w", err)
	}
	return marks, nil
}

// writeContacts stores new records, and writes over rows that are still as the decision saw them; any other row that has
// come or changed in between is left alone. A row finds its own by the unique index whatever the statistics say. What the
// decision saw, observed_at, travels in deleted_at, which is null for new records and is set to null in old rows.
const writeContacts = `
INSERT INTO contacts AS c (id, tenant_id, integration_id, external_id, name, first_name, last_name, email, phone, emails, phones,
    email_addresses, phone_numbers, organization_id, owner_id, job_title, custom_fields, content_hash, remote_created_at, remote_updated_at,
    observed_at, last_run_id, deleted_at, updated_at)
SELECT u.id, $1, $2, u.external_id, u.name, u.first_name, u.last_name, u.email, u.phone, u.emails::jsonb, u.phones::jsonb,
    u.email_addresses::text[], u.phone_numbers::text[], u.organization_id, u.owner_id, u.job_title, u.custom_fields::jsonb, u.content_hash,
    u.remote_created_at, u.remote_updated_at, $3, $4, u.seen, clock_timestamp()
FROM unnest($5::uuid[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
    $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::bytea[], $22::timestamptz[],
    $23::timestamptz[])
    AS u (id, seen, external_id, name, first_name, last_name, email, phone, emails, phones, email_addresses, phone_numbers,
        organization_id, owner_id, job_title, custom_fields, content_hash, remote_created_at, remote_updated_at)
ON CONFLICT (integration_id, external_id) DO UPDATE SET name = excluded.name, first_name = excluded.first_name,
    last_name = excluded.last_name, email = excluded.email, phone = excluded.phone, emails = excluded.emails, phones = excluded.phones,
    email_addresses = excluded.email_addresses, phone_numbers = excluded.phone_numbers, organization_id = excluded.organization_id,
    owner_id = excluded.owner_id, job_title = excluded.job_title, custom_fields = excluded.custom_fields,
    content_hash = excluded.content_hash, remote_created_at = excluded.remote_created_at, remote_updated_at = excluded.remote_updated_at,
    observed_at = greatest(c.observed_at, excluded.observed_at), last_run_id = coalesce(excluded.last_run_id, c.last_run_id),
    deleted_at = NULL, merged_into = NULL, updated_at = excluded.updated_at
WHERE c.observed_at = excluded.deleted_at`

// touchContact leaves the trace of a confirming read that found nothing new.
const touchContact = `
UPDATE contacts SET observed_at = $3, updated_at = clock_timestamp()
WHERE integration_id = $1 AND external_id = $2 AND observed_at = $4`

// tombstoneContact marks a row deleted; its content stays.
const tombstoneContact = `
UPDATE contacts SET deleted_at = clock_timestamp(), observed_at = greatest(observed_at, $3), merged_into = nullif($5, ''),
    last_run_id = coalesce($6, last_run_id), updated_at = clock_timestamp()
WHERE integration_id = $1 AND external_id = $2 AND observed_at = $4 AND deleted_at IS NULL`

// insertTombstone remembers that a record that was never stored is gone, so that a late page doesn't bring it to life.
const insertTombstone = `
INSERT INTO contacts (id, tenant_id, integration_id, external_id, content_hash, observed_at, last_run_id, deleted_at)
VALUES ($1, $2, $3, $4, '\x', $5, $6, clock_timestamp()) ON CONFLICT (integration_id, external_id) DO NOTHING`

// columns are a batch of contacts, column by column, as unnest wants them.
type columns struct {
	ids                                                          []uuid.UUID
	seen                                                         []*time.Time // observed_at of the row that the decision saw; nil: none
	external, name, first, last, emails, phones, addresses, e164 []string
	email, phone, organization, owner, job                       []*string
	custom                                                       []string
	hashes                                                       [][]byte
	created, updated                                             []*time.Time
}

// add appends a contact; row is what the decision saw.
func (c *columns) add(p providers.Contact, hash [32]byte, row *rules.Row, region string) {
	n := normalize(p, region)
	var seen *time.Time
	if row != nil {
		seen = &row.ObservedAt
	}
	c.ids = append(c.ids, newID())
	c.seen = append(c.seen, seen)
	c.external = append(c.external, p.ExternalID)
	c.name = append(c.name, p.Name)
	c.first = append(c.first, p.FirstName)
	c.last = append(c.last, p.LastName)
	c.email = append(c.email, nonEmpty(n.email))
	c.phone = append(c.phone, nonEmpty(n.phone))
	c.emails = append(c.emails, n.emails)
	c.phones = append(c.phones, n.phones)
	c.addresses = append(c.addresses, n.addresses)
	c.e164 = append(c.e164, n.numbers)
	c.organization = append(c.organization, nonEmpty(p.OrganizationID))
	c.owner = append(c.owner, nonEmpty(p.OwnerID))
	c.job = append(c.job, nonEmpty(p.JobTitle))
	if len(p.CustomFields) == 0 {
		c.custom = append(c.custom, "{}")
	} else {
		c.custom = append(c.custom, string(p.CustomFields))
	}
	c.hashes = append(c.hashes, hash[:])
	c.created = append(c.created, optional(p.CreatedAt))
	c.updated = append(c.updated, optional(p.UpdatedAt))
}

func (c *columns) len() int { return len(c.external) }

// queue adds the write of the contacts to a batch.
func (c *columns) queue(batch *pgx.Batch, tenant, integration uuid.UUID, observed time.Time, run *uuid.UUID) *pgx.QueuedQuery {
	return batch.Queue(writeContacts, tenant, integration, observed, run, c.ids, c.seen, c.external, c.name, c.first, c.last, c.email, c.phone,
		c.emails, c.phones, c.addresses, c.e164, c.organization, c.owner, c.job, c.custom, c.hashes, c.created, c.updated)
}

// exec writes the contacts at once.
func (c *columns) exec(ctx context.Context, tx pgx.Tx, tenant, integration uuid.UUID, observed time.Time, run *uuid.UUID) (tag pgconn.CommandTag, err error) {
	batch := new(pgx.Batch)
	c.queue(batch, tenant, integration, observed, run).Exec(func(t pgconn.CommandTag) error { tag = t; return nil })
	return tag, tx.SendBatch(ctx, batch).Close()
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Contact is a contact as the API shows it.
type Contact struct {
	ID              uuid.UUID  `json:"id"`
	IntegrationID   uuid.UUID  `json:"integration_id"`
	ExternalID      string     `json:"external_id"`
	Name            string     `json:"name"`
	FirstName       string     `json:"first_name"`
	LastName        string     `json:"last_name"`
	Email           *string    `json:"email"`
	Phone           *string    `json:"phone"`
	Emails          any        `json:"emails"`
	Phones          any        `json:"phones"`
	OrganizationID  *string    `json:"organization_id"`
	OwnerID         *string    `json:"owner_id"`
	JobTitle        *string    `json:"job_title"`
	CustomFields    any        `json:"custom_fields"`
	RemoteUpdatedAt *time.Time `json:"remote_updated_at"`
	DeletedAt       *time.Time `json:"deleted_at"`
	MergedInto      *string    `json:"merged_into"`
	CreatedAt       time.Time  `json:"created_at"`
	UpdatedAt       time.Time  `json:"updated_at"`
}

const listContacts = `
SELECT c.id, c.integration_id, c.external_id, c.name, c.first_name, c.last_name, c.email, c.phone, c.emails, c.phones, c.organization_id,
    c.owner_id, c.job_title, c.custom_fields, c.remote_updated_at, c.deleted_at, c.merged_into, c.created_at, c.updated_at
FROM contacts c
WHERE c.tenant_id = $1 AND ($2::uuid IS NULL OR c.integration_id = $2) AND ($3 OR c.deleted_at IS NULL)
  AND ($4 = '' OR c.name ILIKE '%' || $4 || '%' OR c.email ILIKE '%' || $4 || '%' OR c.phone LIKE '%' || $4 || '%')
  AND ($5::uuid IS NULL OR c.id > $5)
ORDER BY c.id LIMIT $6`

// ContactFilter narrows a list of contacts.
type ContactFilter struct {
	Tenant      uuid.UUID
	Integration *uuid.UUID
	Deleted     bool   // tombstones too
	Search      string // part of a name, e-mail or number
}

// ListContacts lists a tenant's contacts in the order of their ids.
func (s *Store) ListContacts(ctx context.Context, f ContactFilter, after *uuid.UUID, limit int) ([]Contact, error) {
	return all(ctx, s.pool, "list contacts", pgx.RowToStructByPos[Contact], listContacts, f.Tenant, f.Integration, f.Deleted, likeLiteral(f.Search), after, limit)
}
