// Package providers is the vocabulary between the engine and the outside services: what a provider is, what a contact is,
// and what an adapter promises. Adapters (one folder each) translate requests into pages of [Contact] and failures into
// [Error]. They hold no state, touch no database and know no job. The engine, in package worker, names no provider.
package providers

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

// Kind is the trade of a provider.
type Kind string

// The kinds of providers.
const (
	CRM       Kind = "crm"
	Messaging Kind = "messaging"
	Telephony Kind = "telephony"
)

// Provider is one outside service, with the capabilities it has; a nil capability is one it lacks.
// Values are made once, in the list of cmd/enlace, and are safe for concurrent use.
type Provider struct {
	Name  string // "pipedrive": the value of integrations.provider, never shown
	Title string // "Pipedrive": what people call it
	Kind  Kind

	OAuth *OAuth // how an account is connected

	// Contacts makes the contact source of one account. The client authenticates, renews tokens and bounds time;
	// the adapter never sees a token.
	Contacts func(account Account, client *http.Client) ContactSource

	// Changes is how the provider tells of changed contacts by itself; nil: it doesn't.
	Changes *Changes

	// Uninstall reads the provider's own notice that a person removed our app: the account it is about, as
	// [Identity.ExternalID]. [ErrUnverified] says that it isn't the provider who speaks. Nil: there is no such notice.
	Uninstall func(r *http.Request, body []byte) (externalID string, err error)

	Limits Limits
}

// Account is what an adapter must know of a connected account.
type Account struct {
	ExternalID string // the provider's name of the account, such as company and user
	APIDomain  string // base URL of the account's API, without a slash at the end; checked when it is stored and when it is used
	AuthServer string // base URL of the account's token host, where the provider has several; empty: the provider's only one

	// EverWorked says that the provider has let the account read before: a missing scope then is the person's to
	// grant again, not our app's registration.
	EverWorked bool
}

// Limits are the facts of a provider's pace that hold before it has reported any.
type Limits struct {
	RequestsPerSecond float64                        // our pace until the provider reported a limit
	BurstsBeforeQuota int                            // so many burst refusals in a row mean that the day is spent; 0: never
	QuotaReset        func(now time.Time) time.Time  // when the daily budget comes back, if the provider doesn't say
	SweepEvery        time.Duration                  // how often a full sweep looks for silent deletions
	DeletedEvery      time.Duration                  // how often a list of deletions is worth reading beside sweeps; 0: in every run
	DeletedKept       time.Duration                  // how long it shows a deletion; 0: there is no such list, or for ever
	Budget            func(externalID string) string // the account that a budget belongs to, where several share one; nil: each has its own
	Cursors           Cursors                        // what a cursor of a list of changes is
}

// UntilQuotaReset is how long the day's budget takes to come back: by the provider's rule, or an hour where there is none.
func (l Limits) UntilQuotaReset(now time.Time) time.Duration {
	if l.QuotaReset == nil {
		return time.Hour
	}
	return l.QuotaReset(now).Sub(now)
}

// Cursors says what the cursors of a list of changes are, and with it how such a list is read to its end.
type Cursors int

const (
	// Opaque cursors promise nothing: they are tokens of a frozen list, or count rows. The engine goes on by update time
	// and follows a cursor only through a tie that is longer than a page.
	Opaque Cursors = iota
	// Positions are places in the order of update times, on live data.
	Positions
	// Bounded are places in the order of ids. The source reads a window that it has closed at its first answer, whole.
	Bounded
)

// ContactSource reads the contacts of one account. Implementations are safe for use by one goroutine at a time.
type ContactSource interface {
	// ListContacts reads one page. The error is an [*Error], and beside it there is nothing but what the answers told.
	ListContacts(ctx context.Context, req ListRequest) (Page, error)

	// ReadContact is a confirming read of one record by its id. A record that the provider calls deleted comes with
	// Deleted set: that is proof. One that is absent or invisible is an [*Error] of kind [NotFound]: that isn't. One
	// that is there but can't be understood is [InvalidRequest], with the [Failure] as its Record.
	ReadContact(ctx context.Context, externalID string) (Contact, Observation, error)
}

// ContactCounter is a source whose provider counts its contacts in one call. About so many will do: after a sweep the
// count is compared with what we have, and a difference tells only beyond 5 records and 1 %.
type ContactCounter interface {
	CountContacts(ctx context.Context) (int64, Observation, error)
}

// SweepPlanner is a source that has several ways of a sweep, or asks more than a call a page. Without it, a sweep costs as
// many calls as it has pages.
type SweepPlanner interface {
	// PlanSweep says how a sweep of so many records would be read. The error is an [*Error].
	PlanSweep(ctx context.Context, expected int64) (SweepPlan, Observation, error)
}

// SweepPlan is what the walk of a sweep costs.
type SweepPlan struct {
	Calls int64
	Quota int64 // of the daily budget; 0: the provider counts none
	Exact bool  // as long as nothing changes there
	Again bool  // some of the calls come again when a slice of the run ends and another goes on

	Sample Cursor // of a first page that is read without preparing anything
}

// DeletedLister is a source whose provider lists what was deleted. An entry only asks for a confirming read.
type DeletedLister interface {
	// ListDeleted reads one page of the records deleted at or after since. The error is an [*Error].
	ListDeleted(ctx context.Context, since time.Time, cursor Cursor) (DeletedPage, error)
}

// DeletedPage is one answer with deletions.
type DeletedPage struct {
	ExternalIDs []string
	Next        Cursor // empty: the list has ended
	Observation
}

// A source that holds something between two pages, such as a file that it unpacks, is an [io.Closer] too. The engine
// may keep it from one slice to the next and closes it in the end; any other source goes on from the cursor alone.

// Cursor is the provider's own position mark, opaque to the engine. Empty is the beginning, or the end.
type Cursor string

// ListRequest asks for a page. Without UpdatedSince it is a page of a sweep, in the order of ids; with it, of an
// incremental, oldest change first, records changed at or after that second.
type ListRequest struct {
	UpdatedSince time.Time
	Cursor       Cursor
	Limit        int   // 0: the largest page the provider serves
	Expected     int64 // how many records a sweep will meet, by [ContactCounter] or about; 0: unknown
}

// Size is how many records to ask for, of a provider whose largest page has so many.
func (r ListRequest) Size(most int) int {
	if r.Limit <= 0 {
		return most
	}
	return min(r.Limit, most)
}

// Page is one answer with contacts.
type Page struct {
	Contacts []Contact
	Failures []Failure // records that could not be understood
	Next     Cursor    // empty: the list has ended
	Total    int64     // of the whole list, where the provider says it in the page; 0: unknown

	// Wait says that the provider is preparing an export: nothing has come yet, and Next is to be asked for after so
	// long. The records that then come are as old as the call that asked for the export.
	Wait time.Duration

	Observation
}

// Observation is what an answer told beside its records.
type Observation struct {
	Date  time.Time // the answer's Date header; zero: none
	Usage Usage
}

// Add takes over what a later answer to the same question told. The date stays the first one's: later ones are no older.
func (o *Observation) Add(later Observation) {
	if o.Date.IsZero() {
		o.Date = later.Date
	}
	o.Usage.DailyLimit = cmp.Or(later.Usage.DailyLimit, o.Usage.DailyLimit)
	o.Usage.DailyRemaining = cmp.Or(later.Usage.DailyRemaining, o.Usage.DailyRemaining)
	o.Usage.Spent += later.Usage.Spent
}

// Usage is what an answer said about limits. Nil: it said nothing. Where calls of different kinds have limits of their
// own, each answer tells of its own call's: the engine goes by the latest, as a walk is made of calls of one kind.
type Usage struct {
	BurstLimit     *int64        // requests allowed in BurstWindow
	BurstWindow    time.Duration // of BurstLimit
	BurstRemaining *int64
	DailyLimit     *int64 // in the provider's own unit, of a day or of any 24 hours
	DailyRemaining *int64
	Spent          int64 // what the call cost in that unit; 0: the provider counts none
}

// Contact is a person of a CRM in the form that all providers share. Values are as the provider has them; NUL
// characters are gone. A missing value is empty.
type Contact struct {
	ExternalID string // digit for digit

	Name, FirstName, LastName string
	Emails                    []Address
	Phones                    []Address
	OrganizationID, OwnerID   string
	JobTitle                  string
	CustomFields              []byte // a JSON object; nil: none

	CreatedAt, UpdatedAt time.Time // the provider's; zero: missing

	Deleted    bool   // the provider itself calls it deleted
	MergedInto string // the record that took it over, if the provider says so

	// Absorbed are the records that ended in this one, if it names them. [Caller.Page] tells of each as a deleted one, and
	// the engine never sees it.
	Absorbed []string
}

// Address is one e-mail address or phone number as a person typed it.
type Address struct {
	Value   string `json:"value"`
	Label   string `json:"label"`
	Primary bool   `json:"primary"`
}

// Failure is a record that could not be taken. Reason is one of the keys of WORDS §6.
type Failure struct {
	ExternalID string // empty if the record has none
	Reason     string
	Field      string // for reason "bad_shape"
	Detail     string
	Payload    []byte // the record as it came, at most [MaxFailurePayload] bytes
}

// MaxFailurePayload bounds what is kept of a record that could not be taken.
const MaxFailurePayload = 64 << 10
