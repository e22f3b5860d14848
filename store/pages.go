package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.com/enlace/providers"
	"example.com/enlace/store/rules"
)

// Page is a page of a run as it is committed: its records, and where the run goes on after it.
type Page struct {
	Contacts []providers.Contact
	Failures []providers.Failure
	Read     rules.Read
	Region   string
	Spent    Spent // by calls that no commit has counted yet
	Remember bool  // its ids until the run ends, as a sweep's always are: a record that is met twice says something
}

const hasFailures = `SELECT EXISTS (SELECT FROM sync_failures WHERE integration_id = $1 AND resolved_at IS NULL)`

const savePage = `
UPDATE integration_sync_logs SET lease_until = clock_timestamp() + $4, checkpoint = $5, pages = pages + 1, api_calls = api_calls + $6, quota_used = quota_used + $14,
    records_seen = records_seen + $7, records_created = records_created + $8, records_updated = records_updated + $9,
    records_unchanged = records_unchanged + $10, records_failed = records_failed + $11,
    records_synced = coalesce(records_synced, 0) + $7 - $11, failures_in_row = 0,
    window_start = $12, window_end = $13, updated_at = clock_timestamp()
WHERE id = $1 AND fence = $2 AND job_id = $3 AND status = 'in_progress'`

const insertRunPage = `INSERT INTO sync_run_pages (run_id, page, external_ids) VALUES ($1, $2, $3)`

const insertAsks = `
INSERT INTO confirming_reads (run_id, external_id, cause, unchanged) SELECT $1, u.id, 'asked', u.unchanged
FROM unnest($2::text[], $3::boolean[]) AS u (id, unchanged)
ON CONFLICT (run_id, external_id) DO UPDATE SET unchanged = confirming_reads.unchanged OR excluded.unchanged`

const resolveFailures = `
UPDATE sync_failures SET resolved_at = now() WHERE integration_id = $1 AND external_id = ANY ($2) AND resolved_at IS NULL`

// CommitPage writes a page in one transaction: records, quarantine, counters, checkpoint and lease. The checkpoint in
// the claim is the one to go on from; CommitPage adds to it what it learned from the page (Listed, Newest), also when it
// returns. [ErrLost] if the slice has lost its lease; then nothing was written.
//
// It asks Postgres twice: first for hash, times and marks of the page's rows, then, after rules has decided, to write
// what differs. An unchanged record costs no write.
func (s *Store) CommitPage(ctx context.Context, c *Claim, p Page) (rules.Counters, error) {
	before := c.Checkpoint
	counters, err := s.commitPage(ctx, c, p)
	if _, ok := refused(err); ok {
		c.Checkpoint = before
		p.Contacts = latest(p.Contacts)
		if err = s.quarantineRefused(ctx, *c, &p); err == nil {
			counters, err = s.commitPage(ctx, c, p)
		}
	}
	if err != nil {
		c.Checkpoint = before
		if errors.Is(err, ErrLost) {
			return rules.Counters{}, err
		}
		return rules.Counters{}, fmt.Errorf("commit page: %w", err)
	}
	return counters, nil
}

func (s *Store) commitPage(ctx context.Context, c *Claim, p Page) (counters rules.Counters, err error) {
	err = s.Tx(ctx, func(tx pgx.Tx) error {
		d, err := s.decide(ctx, tx, c, p)
		if err != nil {
			return err
		}
		counters = d.counters
		return s.write(ctx, tx, c, p, d)
	})
	return counters, err
}

// decisions are what a page does, sorted by the statements that do it.
type decisions struct {
	counters       rules.Counters
	writes         columns
	asks           []string
	unchanged      []bool // of asks: the record stands as unchanged in the counters
	listed, passed []string
	hasFailures    bool
}

// decide locks the run under its fence, reads the rows of the page and asks the rules.
func (s *Store) decide(ctx context.Context, tx pgx.Tx, c *Claim, p Page) (*decisions, error) {
	contacts := latest(p.Contacts)
	ids := make([]string, len(contacts))
	for i := range contacts {
		ids[i] = contacts[i].ExternalID
	}
	d := &decisions{listed: make([]string, 0, len(ids))} // not nil: an empty page has met nothing, which is not unknown
	var marks map[string]*rules.Row
	batch := new(pgx.Batch)
	batch.Queue(renew, c.RunID, c.Fence, c.Job, s.lease)
	batch.Queue(hasFailures, c.IntegrationID).QueryRow(func(row pgx.Row) error { return row.Scan(&d.hasFailures) })
	batch.Queue(readMarks, c.IntegrationID, ids).Query(func(rows pgx.Rows) (err error) {
		marks, err = collectMarks(rows, c.RunID)
		return err
	})
	if err := sendFenced(ctx, tx, batch); err != nil {
		return nil, err
	}

	for _, contact := range contacts {
		row, hash := marks[contact.ExternalID], ContentHash(contact)
		verdict := rules.Apply(row, rules.Record{Deleted: contact.Deleted, Hash: hash, UpdatedAt: contact.UpdatedAt}, p.Read, rules.Page)
		unchanged := d.counters.Count(verdict, row != nil && row.Mine, c.Checkpoint.Restarted)
		switch {
		case verdict.Stores():
			d.writes.add(contact, hash, row, p.Region)
		case verdict.Asks():
			d.ask(contact.ExternalID, unchanged)
		}
		if !contact.Deleted {
			d.listed = append(d.listed, contact.ExternalID)
		}
		d.passed = append(d.passed, contact.ExternalID)
		if contact.UpdatedAt.After(c.Checkpoint.Newest) {
			c.Checkpoint.Newest = contact.UpdatedAt
		}
	}
	for _, f := range p.Failures {
		d.counters.Fail()
		if f.ExternalID != "" {
			d.listed = append(d.listed, f.ExternalID) // it couldn't be taken, but it is there
		}
	}
	c.Checkpoint.Listed += int64(len(d.listed))
	return d, nil
}

func (d *decisions) ask(id string, unchanged bool) {
	d.asks = append(d.asks, id)
	d.unchanged = append(d.unchanged, unchanged)
}

// sendFenced sends a batch whose first statement is fenced.
func sendFenced(ctx context.Context, tx pgx.Tx, batch *pgx.Batch) error {
	batch.QueuedQueries[0].Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() == 0 {
			return ErrLost
		}
		return nil
	})
	return tx.SendBatch(ctx, batch).Close()
}

// write stores what was decided.
func (s *Store) write(ctx context.Context, tx pgx.Tx, c *Claim, p Page, d *decisions) error {
	var written int64
	batch := new(pgx.Batch)
	n := d.counters
	observed := p.Read.ObservedAt()
	batch.Queue(savePage, c.RunID, c.Fence, c.Job, s.lease, c.Checkpoint, p.Spent.Calls, n.Seen, n.Created, n.Updated, n.Unchanged, n.Failed,
		optional(c.Checkpoint.Since), optional(c.Checkpoint.Upper), p.Spent.Quota)
	if d.writes.len() > 0 {
		d.writes.queue(batch, c.TenantID, c.IntegrationID, observed, &c.RunID).Exec(func(tag pgconn.CommandTag) error {
			written = tag.RowsAffected()
			return nil
		})
	}
	if c.Checkpoint.Sweep || p.Remember {
		batch.Queue(insertRunPage, c.RunID, c.Checkpoint.Page, d.listed)
	}
	if len(d.asks) > 0 {
		batch.Queue(insertAsks, c.RunID, d.asks, d.unchanged)
	}
	if d.hasFailures && len(d.passed) > 0 {
		batch.Queue(resolveFailures, c.IntegrationID, d.passed)
	}
	for _, f := range p.Failures {
		queueFailure(batch, *c, f)
	}
	if err := sendFenced(ctx, tx, batch); err != nil {
		return err
	}
	if written < int64(d.writes.len()) {
		return s.askOvertaken(ctx, tx, c, d, observed)
	}
	return nil
}

// overtaken finds the rows of a page that another writer changed between the decision and the write.
const overtaken = `
SELECT u.id FROM unnest($2::text[]) AS u (id)
LEFT JOIN contacts c ON c.integration_id = $1 AND c.external_id = u.id
WHERE c.last_run_id IS DISTINCT FROM $3 OR c.observed_at <> $4`

const uncount = `
UPDATE integration_sync_logs SET records_created = records_created - $2, records_updated = records_updated - $3,
    records_unchanged = records_unchanged + $2 + $3 WHERE id = $1`

// askOvertaken lets confirming reads decide about rows that a webhook changed meanwhile, and counts them as unchanged
// until then.
func (s *Store) askOvertaken(ctx context.Context, tx pgx.Tx, c *Claim, d *decisions, observed time.Time) error {
	asks, err := all(ctx, tx, "find overtaken rows", pgx.RowTo[string], overtaken, c.IntegrationID, d.writes.external, c.RunID, observed)
	if err != nil {
		return err
	}
	var created, updated int64
	for i, id := range d.writes.external {
		switch {
		case !slices.Contains(asks, id):
		case d.writes.seen[i] == nil:
			created++
		default:
			updated++
		}
	}
	unchanged := make([]bool, len(asks))
	for i := range unchanged {
		unchanged[i] = true
	}
	if _, err := tx.Exec(ctx, insertAsks, c.RunID, asks, unchanged); err != nil {
		return fmt.Errorf("ask overtaken rows: %w", err)
	}
	if _, err := tx.Exec(ctx, uncount, c.RunID, created, updated); err != nil {
		return fmt.Errorf("ask overtaken rows: %w", err)
	}
	d.counters.Created -= created
	d.counters.Updated -= updated
	d.counters.Unchanged += created + updated
	return nil
}

// latest keeps the newest of an id that a page holds twice: one statement may touch a row once.
func latest(contacts []providers.Contact) []providers.Contact {
	at := make(map[string]int, len(contacts))
	for i := range contacts {
		at[contacts[i].ExternalID] = i
	}
	if len(at) == len(contacts) {
		return contacts
	}
	kept := make([]providers.Contact, 0, len(at))
	for i := range contacts {
		if at[contacts[i].ExternalID] == i {
			kept = append(kept, contacts[i])
		}
	}
	return kept
}

// BadPage is how many records a page must have for all of them being bad to be the page's fault, not theirs.
const BadPage = 10

// ErrAllRefused says that Postgres refuses every record of a page: the fault isn't the records'.
var ErrAllRefused = errors.New("the database refuses every record of the page")

// quarantineRefused moves the records that Postgres refuses from a page's contacts to its failures. It looks for them by
// halves, each tried in a transaction that is rolled back.
func (s *Store) quarantineRefused(ctx context.Context, c Claim, p *Page) error {
	tried := len(p.Contacts)
	kept, err := s.keepAccepted(ctx, c, p, p.Contacts)
	if err != nil {
		return err
	}
	if p.Contacts = kept; len(kept) == 0 && tried >= BadPage {
		return ErrAllRefused
	}
	return nil
}

func (s *Store) keepAccepted(ctx context.Context, c Claim, p *Page, contacts []providers.Contact) ([]providers.Contact, error) {
	if len(contacts) == 0 {
		return nil, nil
	}
	err := s.tryContacts(ctx, c, p, contacts)
	pgErr, isRefused := refused(err)
	switch {
	case err == nil:
		return contacts, nil
	case !isRefused:
		return nil, err
	case len(contacts) == 1:
		p.Failures = append(p.Failures, providers.Failure{ExternalID: contacts[0].ExternalID, Reason: "refused", Detail: pgErr.Message})
		return nil, nil
	}
	half := len(contacts) / 2
	first, err := s.keepAccepted(ctx, c, p, contacts[:half:half])
	if err != nil {
		return nil, err
	}
	second, err := s.keepAccepted(ctx, c, p, contacts[half:])
	return append(first, second...), err
}

var errTried = errors.New("tried")

// tryContacts writes contacts under the fence, which also renews the lease's claim on the run, and takes it back.
func (s *Store) tryContacts(ctx context.Context, c Claim, p *Page, contacts []providers.Contact) error {
	var all columns
	for _, contact := range contacts {
		all.add(contact, ContentHash(contact), nil, p.Region)
	}
	err := s.Tx(ctx, func(tx pgx.Tx) error {
		if err := s.HoldFence(ctx, tx, c); err != nil {
			return err
		}
		if _, err := all.exec(ctx, tx, c.TenantID, c.IntegrationID, p.Read.ObservedAt(), &c.RunID); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return s.Renew(ctx, c)
	}
	return err
}

// queueFailure adds a record to quarantine, or counts it there again.
func queueFailure(batch *pgx.Batch, c Claim, f providers.Failure) {
	external := f.ExternalID
	if external == "" {
		external = namelessRecord + uuid.NewString() // without an id nothing can be matched later
	}
	batch.Queue(upsertFailure, newID(), c.TenantID, c.IntegrationID, external, f.Reason, f.Field, f.Detail, payload(f.Payload), c.RunID)
}
