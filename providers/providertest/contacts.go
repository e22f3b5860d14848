package providertest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

// Sandbox is one connected account at a provider's fake.
type Sandbox interface {
	// Source is a new source of the account, as a process that has just started would make it.
	Source(t *testing.T, o SourceOptions) providers.ContactSource

	Put(t *testing.T, p Person)     // stores a record as it is given
	Update(t *testing.T, id string) // changes a record, stamped now
	Delete(t *testing.T, id string) // deletes a record so that the provider itself calls it deleted, where it does so
	Vanish(t *testing.T, id string) // takes a record away without a trace
	Living(t *testing.T) []string   // the ids of all living records, as the adapter tells them
	Play(t *testing.T, tr Trouble)  // makes calls of a list go wrong, at least the next
	Recover(t *testing.T)           // ends the trouble
	Calls(t *testing.T) (lists int) // calls received so far of those that bring a list of contacts
}

// SourceOptions are what a test wants of a source; the zero value is usual.
type SourceOptions struct {
	Timeout   time.Duration                             // of a request; 0: the adapter's own
	Transport func(http.RoundTripper) http.RoundTripper // put before the line; nil: none
}

// Person is a record as a test writes it. Times are whole seconds; a zero UpdatedAt is a record without one.
type Person struct {
	ID        string // a number, in the order that ids have; the fake may make longer ones of it
	Name      string
	Emails    []string
	Phones    []string
	Note      string // a custom field of free text
	UpdatedAt time.Time
	Bare      bool // every field but the id is null or missing
}

// ContactSource is an adapter under test. What a provider can't hold or do is a fact of the provider, said here; there is
// no list of exceptions.
type ContactSource struct {
	Limits providers.Limits // of the adapter

	LargestPage int  // records, as the provider serves them
	Emails      int  // most of one record
	Phones      int  // most of one record
	Timeless    bool // it has records without an update time
	SaysDeleted bool // a deleted record is read as such by its id, instead of being absent

	// Account makes an account with n living records, some of them sharing an update time and, where the provider knows
	// such records and n allows it, at least one without any.
	Account func(t *testing.T, n int) Sandbox
}

// Run checks what [providers.ContactSource] and the optional interfaces beside it promise.
func (c ContactSource) Run(t *testing.T) {
	t.Helper()
	for sentence, test := range map[string]func(*testing.T, ContactSource){
		"a sweep brings every record once, in the largest pages":               sweep,
		"an empty account is an empty list":                                    empty,
		"a sweep while the data changes misses and repeats nothing that stays": moving,
		"any stored cursor goes on where its page ended":                       resume,
		"an incremental is inclusive and whole over ties":                      ties,
		"an incremental with nothing new is one call":                          quiet,
		"what changes during an incremental is brought by it or by the next":   late,
		"a confirming read tells living, deleted and absent apart":             confirm,
		"a count is that of the living records":                                count,
		"a list of deletions brings what was deleted since":                    deletions,
		"odd values come as they are, without NUL":                             odd,
		"a record of nulls is a record":                                        bare,
		"all e-mail addresses and phones come, whatever their country":         addresses,
		"a record that comes twice in one page is no error":                    doubled,
		"a call that is cancelled ends at once":                                cancelled,
		"a record reads the same in a sweep, an incremental and by its id":     sameEverywhere,
	} {
		t.Run(sentence, func(t *testing.T) { t.Parallel(); test(t, c) })
	}
	for trouble, kind := range wants {
		t.Run(string(trouble), func(t *testing.T) { t.Parallel(); fails(t, c, trouble, kind) })
	}
}

// source opens a source for one test, and closes it.
func source(t *testing.T, s Sandbox, o SourceOptions) providers.ContactSource {
	t.Helper()
	made := s.Source(t, o)
	if closer, ok := made.(interface{ Close() error }); ok {
		t.Cleanup(func() { require.NoError(t, closer.Close()) })
	}
	return made
}

// walk reads pages of a list to its end, calling between after each page but the last.
func walk(t *testing.T, source providers.ContactSource, req providers.ListRequest, between func(page int)) (pages []providers.Page) {
	t.Helper()
	for n := range 1000 {
		page, err := source.ListContacts(t.Context(), req)
		require.NoError(t, err)
		require.Empty(t, page.Failures)
		if page.Wait > 0 { // the fake's exports are ready when they are asked for again
			req.Cursor = page.Next
			continue
		}
		pages = append(pages, page)
		if page.Next == "" {
			return pages
		}
		if between != nil {
			between(n)
		}
		req.Cursor = page.Next
	}
	require.Fail(t, "the list does not end")
	return nil
}

func ids(pages []providers.Page) []string {
	var list []string
	for _, page := range pages {
		for _, c := range page.Contacts {
			list = append(list, c.ExternalID)
		}
	}
	return list
}

// contacts are those of all pages.
func contacts(pages []providers.Page) (list []providers.Contact) {
	for _, page := range pages {
		list = append(list, page.Contacts...)
	}
	return list
}

// byNumber orders ids as numbers, which is how providers count them.
func byNumber(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// RecordIDs are the ids of records in the provider's own JSON, digit for digit; each must have one.
func RecordIDs(t *testing.T, records []json.RawMessage) []string {
	t.Helper()
	ids := make([]string, len(records))
	for i, raw := range records {
		ids[i] = providers.Plain(jsontext.Value(raw), "id")
		require.NotEmpty(t, ids[i])
	}
	return ids
}
