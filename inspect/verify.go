package inspect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
)

const (
	// verifyRecords is how many stored contacts a verification reads by their ids.
	verifyRecords = 50

	// sampleTime is after how long it reads no further: a person waits.
	sampleTime = 30 * time.Second

	// namedRecords is how many ids it names of a kind of drift.
	namedRecords = 20
)

// The kinds of drift.
const (
	DriftCount       = "count"        // the numbers differ
	DriftMissingHere = "missing_here" // it lives there, and not here
	DriftGoneThere   = "gone_there"   // it lives here, and is absent there
	DriftDiffers     = "differs"      // its content is another, though nothing has changed it since the last sync
)

// Drift is a difference of one kind.
type Drift struct {
	Kind        string   `json:"kind" enum:"count,missing_here,gone_there,differs"`
	Count       int64    `json:"count"`
	ExternalIDs []string `json:"external_ids" nullable:"false" doc:"Some of them."`
}

// Checksums are those of all compared records: equal if each of them is the same there and here.
type Checksums struct {
	Provider string `json:"provider"`
	Here     string `json:"here"`
}

// Verification compares what a provider has with what is stored. Nothing of it was written.
type Verification struct {
	VerifiedAt time.Time  `json:"verified_at"`
	FreshAsOf  *time.Time `json:"fresh_as_of" doc:"Changes there since then are for the next sync: they are no drift."`

	ProviderCount *int64 `json:"provider_count" doc:"Null: the provider doesn't count."`
	Contacts      int64  `json:"contacts" doc:"Live contacts here."`

	Compared  int64     `json:"compared" doc:"Records that were read there and compared."`
	Same      int64     `json:"same"`
	Newer     int64     `json:"newer" doc:"Changed there since the last sync."`
	Failed    int64     `json:"failed" doc:"Records that can't be taken: the ledger of failures has them, or will."`
	Checksums Checksums `json:"checksums"`
	Drift     []Drift   `json:"drift" nullable:"false" doc:"Empty: none was found."`
	Spent     int64     `json:"spent_calls" doc:"Calls that this verification has made."`
}

// Verify compares the provider's count with ours, a sample of our contacts with their records there, and a page of the
// records there with our contacts. The error is [vault.ErrInactive], or a [*providers.Error].
func (i *Inspector) Verify(ctx context.Context, in store.Integration) (v Verification, err error) {
	r, err := i.open(ctx, in)
	if err != nil {
		return v, err
	}
	defer func() { r.close(ctx, err) }()
	c := &comparison{reader: r, v: &v, drift: make(map[string][]string), there: make(map[string][32]byte), here: make(map[string][32]byte), known: make(map[string]bool)}
	v.VerifiedAt, v.FreshAsOf = r.clock.Now(), in.WindowEnd
	for _, step := range []func(context.Context) error{c.counts, c.ours, c.theirs} {
		if err := step(ctx); err != nil {
			return v, err
		}
	}
	c.sum()
	v.Spent = r.spentCalls()
	return v, nil
}

// comparison gathers a verification.
type comparison struct {
	*reader

	v           *Verification
	drift       map[string][]string // ids by kind
	there, here map[string][32]byte // content of the compared records; all zeros: absent
	known       map[string]bool     // records that need no second look
}

// The difference of counts that is no coincidence; see the invariant on drift after a full sync.
const (
	driftCount = 5
	driftShare = 0.01
)

func (c *comparison) counts(ctx context.Context) (err error) {
	if c.v.Contacts, err = c.store.LiveContacts(ctx, c.integration.ID); err != nil {
		return err
	}
	c.v.ProviderCount, err = c.count(ctx)
	return err
}

// ours reads a sample of what is stored by its ids.
func (c *comparison) ours(ctx context.Context) error {
	ids, err := c.store.SampleContacts(ctx, c.integration.ID, verifyRecords)
	if err != nil {
		return err
	}
	began := time.Now()
	for _, id := range ids {
		if time.Since(began) > sampleTime {
			return nil // compared tells how many there were
		}
		contact, gone, bad, err := c.one(ctx, id)
		switch {
		case err != nil:
			return err
		case bad:
			c.v.Failed++
			continue
		}
		if err := c.compare(ctx, id, contact, gone); err != nil {
			return err
		}
	}
	return nil
}

// theirs reads a page of what is there, and a page of what has changed there of late: a list shows what we may have missed.
func (c *comparison) theirs(ctx context.Context) error {
	requests := []providers.ListRequest{{}}
	if planner, ok := c.source.(providers.SweepPlanner); ok { // no export is asked for
		if _, err := c.read(ctx, func(ctx context.Context, _ providers.ContactSource) (seen providers.Observation, err error) {
			plan, seen, err := planner.PlanSweep(ctx, 0)
			requests[0].Cursor = plan.Sample
			return seen, err
		}); err != nil {
			return err
		}
	}
	if c.integration.WindowEnd != nil {
		requests = append(requests, providers.ListRequest{UpdatedSince: c.integration.WindowEnd.Add(-24 * time.Hour)})
	}
	for _, req := range requests {
		page, _, err := c.list(ctx, req)
		if err != nil {
			return err
		}
		c.v.Failed += int64(len(page.Failures))
		for _, contact := range page.Contacts {
			if c.known[contact.ExternalID] || contact.Deleted {
				continue
			}
			if err := c.compare(ctx, contact.ExternalID, contact, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare compares one record with what is stored of it now: after it was read, so that a sync meanwhile is no drift.
func (c *comparison) compare(ctx context.Context, id string, contact providers.Contact, gone bool) error {
	rows, err := c.store.Rows(ctx, c.integration.ID, []string{id})
	if err != nil {
		return err
	}
	row := rows[id]
	lives := row != nil && !row.Deleted
	var there, here [32]byte
	if !gone {
		there = store.ContentHash(contact)
	}
	if lives {
		here = row.Hash
	}
	c.v.Compared++
	c.known[id] = true
	switch {
	case there == here:
		c.v.Same++
	case !gone && c.newer(contact, row):
		c.v.Newer++
		return nil
	case !lives:
		c.drift[DriftMissingHere] = append(c.drift[DriftMissingHere], id)
	case gone:
		c.drift[DriftGoneThere] = append(c.drift[DriftGoneThere], id)
	default:
		c.drift[DriftDiffers] = append(c.drift[DriftDiffers], id)
	}
	c.there[id], c.here[id] = there, here
	return nil
}

// newer reports whether a record has changed there after what the last sync has seen for certain: the next one looks back
// as far.
func (c *comparison) newer(contact providers.Contact, row *rules.Row) bool {
	if c.integration.WindowEnd == nil {
		return true // nothing was ever read to its end
	}
	if contact.UpdatedAt.After(c.integration.WindowEnd.Add(-rules.Overlap)) {
		return row == nil || !contact.UpdatedAt.Equal(row.UpdatedAt)
	}
	return false
}

// sum says what all of it comes to.
func (c *comparison) sum() {
	ids := make([]string, 0, len(c.there))
	for id := range c.there {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	c.v.Checksums = Checksums{Provider: checksum(ids, c.there), Here: checksum(ids, c.here)}
	c.v.Drift = []Drift{}
	if n := c.v.ProviderCount; n != nil {
		if d := max(*n-c.v.Contacts, c.v.Contacts-*n); d > driftCount && float64(d) > driftShare*float64(*n) {
			c.v.Drift = append(c.v.Drift, Drift{Kind: DriftCount, Count: d, ExternalIDs: []string{}})
		}
	}
	for _, kind := range []string{DriftMissingHere, DriftGoneThere, DriftDiffers} {
		if list := c.drift[kind]; len(list) > 0 {
			c.v.Drift = append(c.v.Drift, Drift{Kind: kind, Count: int64(len(list)), ExternalIDs: list[:min(len(list), namedRecords)]})
		}
	}
}

// checksum is that of the contents of records, in the order of their ids.
func checksum(ids []string, contents map[string][32]byte) string {
	h := sha256.New()
	for _, id := range ids {
		content := contents[id]
		_, _ = h.Write([]byte(id + "\n"))
		_, _ = h.Write(content[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
