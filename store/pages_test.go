package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/rules"
	"example.com/enlace/store/storetest"
)

// testBundle is a run that a slice has claimed.
type testBundle struct {
	pool  *pgxpool.Pool
	store *store.Store
	claim store.Claim
	began time.Time
}

func newBundle(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{pool: storetest.Pool(t)}
	b.store = store.New(b.pool)
	tenant, integration, run := uuid.New(), uuid.New(), uuid.New()
	_, err := b.pool.Exec(t.Context(), `INSERT INTO integrations (id, tenant_id, provider) VALUES ($1, $2, 'pipedrive')`, integration, tenant)
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), `INSERT INTO integration_sync_logs (id, integration_id, tenant_id, sync_type, job_id) VALUES ($1, $2, $3, 'full', 1)`, run, integration, tenant)
	require.NoError(t, err)
	b.claim, err = b.store.ClaimRun(t.Context(), run, 1)
	require.NoError(t, err)
	b.claim.Checkpoint.Sweep = true
	b.began = b.claim.Now
	return b
}

// read is one that began and ended so long after the claim.
func (b *testBundle) read(after time.Duration) rules.Read {
	return rules.Read{Begun: b.began.Add(after), Done: b.began.Add(after + time.Millisecond)}
}

func (b *testBundle) commit(t *testing.T, p store.Page) rules.Counters {
	t.Helper()
	b.claim.Checkpoint.Page++
	n, err := b.store.CommitPage(t.Context(), &b.claim, p)
	require.NoError(t, err)
	return n
}

func (b *testBundle) run(t *testing.T) store.Run {
	t.Helper()
	run, err := b.store.Run(t.Context(), nil, b.claim.RunID)
	require.NoError(t, err)
	return run
}

func (b *testBundle) names(t *testing.T) map[string]string {
	t.Helper()
	list, err := b.store.ListContacts(t.Context(), store.ContactFilter{Tenant: b.claim.TenantID}, nil, 1000)
	require.NoError(t, err)
	names := make(map[string]string)
	for _, c := range list {
		names[c.ExternalID] = c.Name
	}
	return names
}

func person(id, name string, updated int64) providers.Contact {
	c := providers.Contact{ExternalID: id, Name: name}
	if updated > 0 {
		c.UpdatedAt = time.Unix(1_700_000_000+updated, 0)
	}
	return c
}

func TestCommitPage(t *testing.T) {
	t.Parallel()

	t.Run("RecordsCountersAndCheckpointMoveTogether", func(t *testing.T) {
		t.Parallel()

		b := newBundle(t)
		b.claim.Checkpoint.Cursor = "next"
		n := b.commit(t, store.Page{Contacts: []providers.Contact{person("1", "Ann", 1), person("2", "Bob", 2)}, Read: b.read(0), Spent: store.Spent{Calls: 1}})
		require.Equal(t, rules.Counters{Seen: 2, Created: 2}, n)
		run := b.run(t)
		require.EqualValues(t, 2, run.RecordsCreated)
		require.EqualValues(t, 2, run.RecordsSynced)
		require.EqualValues(t, 1, run.Pages)
		require.EqualValues(t, 1, run.APICalls)
		require.Equal(t, map[string]string{"1": "Ann", "2": "Bob"}, b.names(t))

		again, err := b.store.ClaimRun(t.Context(), b.claim.RunID, 1)
		require.NoError(t, err)
		require.EqualValues(t, "next", again.Checkpoint.Cursor)
		require.EqualValues(t, 2, again.Checkpoint.Listed)
		require.Equal(t, time.Unix(1_700_000_002, 0).UTC(), again.Checkpoint.Newest.UTC())
	})

	t.Run("WhoLostItsLeaseWritesNothing", func(t *testing.T) {
		t.Parallel()

		b := newBundle(t)
		stale := b.claim
		var err error
		b.claim, err = b.store.ClaimRun(t.Context(), b.claim.RunID, 1) // another slice of the same job
		require.NoError(t, err)
		_, err = b.store.CommitPage(t.Context(), &stale, store.Page{Contacts: []providers.Contact{person("1", "Ann", 1)}, Read: b.read(0)})
		require.ErrorIs(t, err, store.ErrLost)
		require.Empty(t, b.names(t))
		require.ErrorIs(t, b.store.Renew(t.Context(), stale), store.ErrLost)
		require.ErrorIs(t, b.store.Tx(t.Context(), func(tx pgx.Tx) error { return b.store.Leave(t.Context(), tx, stale, store.Wait{}, store.Spent{}) }), store.ErrLost)
		require.NoError(t, b.store.Renew(t.Context(), b.claim))
	})

	t.Run("AnIdTwiceInAPageCountsOnce", func(t *testing.T) {
		t.Parallel()

		b := newBundle(t)
		n := b.commit(t, store.Page{Contacts: []providers.Contact{person("1", "Old", 1), person("1", "New", 2)}, Read: b.read(0)})
		require.Equal(t, rules.Counters{Seen: 1, Created: 1}, n)
		require.Equal(t, map[string]string{"1": "New"}, b.names(t))
	})

	t.Run("ARecordThatPostgresRefusesDoesNotStopItsPage", func(t *testing.T) {
		t.Parallel()

		b := newBundle(t)
		bad := person("2", "Bad", 1)
		bad.CustomFields = []byte(`{"a": "\u0000"}`)
		n := b.commit(t, store.Page{Contacts: []providers.Contact{person("1", "Ann", 1), bad, person("3", "Cid", 1)}, Read: b.read(0)})
		require.Equal(t, rules.Counters{Seen: 3, Created: 2, Failed: 1}, n)
		require.EqualValues(t, 2, b.run(t).RecordsSynced)
		failures, err := b.store.ListFailures(t.Context(), store.FailureFilter{Integration: b.claim.IntegrationID, Run: &b.claim.RunID}, store.After{}, 10)
		require.NoError(t, err)
		require.Len(t, failures, 1)
		require.Equal(t, "2", failures[0].ExternalID)
		require.Equal(t, "refused", failures[0].Reason)
		require.EqualValues(t, 3, b.claim.Checkpoint.Listed, "it couldn't be taken, but it is there")
	})

	t.Run("AFailureIsOneRowAndResolvesWhenTheRecordPasses", func(t *testing.T) {
		t.Parallel()

		b := newBundle(t)
		failed := providers.Failure{ExternalID: "1", Reason: "bad_time", Payload: []byte("a\x00b\xff")}
		for range 2 {
			require.Equal(t, rules.Counters{Seen: 1, Failed: 1}, b.commit(t, store.Page{Failures: []providers.Failure{failed}, Read: b.read(0)}))
		}
		list, err := b.store.ListFailures(t.Context(), store.FailureFilter{Integration: b.claim.IntegrationID, Run: &b.claim.RunID}, store.After{}, 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.EqualValues(t, 2, list[0].Times)
		require.Nil(t, list[0].ResolvedAt)

		b.commit(t, store.Page{Contacts: []providers.Contact{person("1", "Ann", 1)}, Read: b.read(time.Second)})
		list, err = b.store.ListFailures(t.Context(), store.FailureFilter{Integration: b.claim.IntegrationID, Run: &b.claim.RunID}, store.After{}, 10)
		require.NoError(t, err)
		require.NotNil(t, list[0].ResolvedAt)
	})

	t.Run("ARowThatAWebhookWroteMeanwhileIsAsked", func(t *testing.T) {
		t.Parallel()

		b := newBundle(t)
		b.commit(t, store.Page{Contacts: []providers.Contact{person("1", "Ann", 1)}, Read: b.read(0)})
		_, err := b.pool.Exec(t.Context(), `UPDATE contacts SET name = 'Annabel', remote_updated_at = to_timestamp(1700000003), observed_at = $1`, b.read(10*time.Second).Done)
		require.NoError(t, err)
		n := b.commit(t, store.Page{Contacts: []providers.Contact{person("1", "Anna", 2)}, Read: b.read(5 * time.Second)})
		require.Equal(t, rules.Counters{Seen: 1, Unchanged: 1}, n)
		require.Equal(t, map[string]string{"1": "Annabel"}, b.names(t))
	})
}

// TestNormalForms: what is stored of addresses and numbers beside the text that a person typed.
func TestNormalForms(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		emails, phones []providers.Address
		region         string
		email, phone   string
		addresses      []string
		numbers        []string
	}{
		"the first primary one that can be read is the main one": {
			emails: []providers.Address{{Value: "", Primary: true}, {Value: " Zoe@Example.com "}, {Value: "z2@example.com", Primary: true}},
			email:  "z2@example.com", addresses: []string{"zoe@example.com", "z2@example.com"},
		},
		"without a primary one, the first that can be read": {
			emails: []providers.Address{{Value: "ask"}, {Value: "a@example.org"}, {Value: "b@example.org"}},
			email:  "a@example.org", addresses: []string{"a@example.org", "b@example.org"},
		},
		"several in one text are none": {emails: []providers.Address{{Value: "a@example.org, b@example.org", Primary: true}}},
		"the same in another case is one": {
			emails: []providers.Address{{Value: "A@example.org"}, {Value: "a@EXAMPLE.org"}}, email: "a@example.org", addresses: []string{"a@example.org"},
		},
		"a quote and a backslash survive": {
			emails: []providers.Address{{Value: `o'neill\"x@example.org`}}, email: "", addresses: nil,
		},
		"00 is a plus, an extension is left out": {
			phones: []providers.Address{{Value: "0049 30 123456 ext. 7"}}, phone: "+4930123456", numbers: []string{"+4930123456"},
		},
		"text is no number": {phones: []providers.Address{{Value: "☎ ask reception", Primary: true}}},
		"a national number needs a region": {
			phones: []providers.Address{{Value: "55 5555 0142"}}, region: "MX", phone: "+525555550142", numbers: []string{"+525555550142"},
		},
		"without a region it has no normal form": {phones: []providers.Address{{Value: "55 5555 0142"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := newBundle(t)
			contact := person("1", "Ann", 1)
			contact.Emails, contact.Phones = c.emails, c.phones
			b.commit(t, store.Page{Contacts: []providers.Contact{contact}, Read: b.read(0), Region: c.region})
			var email, phone *string
			var addresses, numbers []string
			var emails, phones int
			require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT email, phone, email_addresses, phone_numbers, jsonb_array_length(emails), jsonb_array_length(phones) FROM contacts`).
				Scan(&email, &phone, &addresses, &numbers, &emails, &phones))
			require.Equal(t, c.email, deref(email))
			require.Equal(t, c.phone, deref(phone))
			require.ElementsMatch(t, c.addresses, addresses)
			require.ElementsMatch(t, c.numbers, numbers)
			require.Equal(t, len(c.emails), emails, "the list stays whole")
			require.Equal(t, len(c.phones), phones)
		})
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestContentHash: contacts that differ in anything we store have other hashes, however their texts fall together.
func TestContentHash(t *testing.T) {
	t.Parallel()

	text := rapid.StringMatching(`[ab]{0,2}`)
	address := rapid.Custom(func(t *rapid.T) providers.Address {
		return providers.Address{Value: text.Draw(t, "value"), Label: text.Draw(t, "label"), Primary: rapid.Bool().Draw(t, "primary")}
	})
	contact := rapid.Custom(func(t *rapid.T) providers.Contact {
		return providers.Contact{
			Name: text.Draw(t, "name"), FirstName: text.Draw(t, "first"), LastName: text.Draw(t, "last"), OwnerID: text.Draw(t, "owner"),
			Emails: rapid.SliceOfN(address, 0, 2).Draw(t, "emails"), Phones: rapid.SliceOfN(address, 0, 2).Draw(t, "phones"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := contact.Draw(t, "a"), contact.Draw(t, "b")
		one, err := json.Marshal(a)
		require.NoError(t, err)
		other, err := json.Marshal(b)
		require.NoError(t, err)
		require.Equal(t, string(one) == string(other), store.ContentHash(a) == store.ContentHash(b))
		moved := a
		moved.UpdatedAt = time.Unix(1, 0)
		require.Equal(t, store.ContentHash(a), store.ContentHash(moved), "the update time is compared beside it")
	})
}
