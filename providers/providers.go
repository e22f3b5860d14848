// Package providers is the vocabulary between the engine and the outside services: what a provider is, what a contact is,
// and what an adapter promises. Adapters (one folder each) translate requests into pages of [Contact] and failures into
// [Error]. They hold no state, touch no database and know no job. The engine, in package worker, names no provider.
package providers

import (
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

	// Uninstall reads the provider's own notice that a person removed our app: the account it is about, as
	// [Identity.ExternalID]. [ErrUnverified] says that it isn't the provider who speaks. Nil: there is no such notice.
	Uninstall func(r *http.Request, body []byte) (externalID string, err error)

	Limits Limits
}

// Account is what an adapter must know of a connected account.
type Account struct {
	ExternalID string // the provider's name of the account, such as company and user
	APIDomain  string // base URL of the account's API, without a slash at the end; checked when it is stored and when it is used

	// EverWorked says that the provider has let the account read before: a missing scope then is the person's to
	// grant again, not our app's registration.
	EverWorked bool
}

// Limits are the facts of a provider's pace that hold before it has reported any.
type Limits struct {
	RequestsPerSecond float64                       // our pace until the provider reported a limit
	BurstsBeforeQuota int                           // so many burst refusals in a row mean that the day is spent; 0: never
	QuotaReset        func(now time.Time) time.Time // when the daily budget comes back, if the provider doesn't say
	SweepEvery        time.Duration                 // how often a full sweep looks for silent deletions
	CursorIsPosition  bool                          // a cursor is a place in the order, not a token of a frozen or counted list
}

// ContactSource reads the contacts of one account. Implementations are safe for use by one goroutine at a time.
type ContactSource interface {
	// ListContacts reads one page. The error is an [*Error].
	ListContacts(ctx context.Context, req ListRequest) (Page, error)

	// ReadContact is a confirming read of one record by its id. A record that the provider calls deleted comes with
	// Deleted set: that is proof. One that is absent or invisible is an [*Error] of kind [NotFound]: that isn't. One
	// that is there but can't be understood is [InvalidRequest], with the [Failure] as its Record.
	ReadContact(ctx context.Context, externalID string) (Contact, Observation, error)
}

// ContactCounter is a source whose provider counts its contacts in one call.
type ContactCounter interface {
	CountContacts(ctx context.Context) (int64, error)
}

// Cursor is the provider's own position mark, opaque to the engine. Empty is the beginning, or the end.
type Cursor string

// ListRequest asks for a page. Without UpdatedSince it is a page of a sweep, in the order of ids; with it, of an
// incremental, oldest change first, records changed at or after that second.
type ListRequest struct {
	UpdatedSince time.Time
	Cursor       Cursor
	Limit        int // 0: the largest page the provider serves
}

// Page is one answer with contacts.
type Page struct {
	Contacts []Contact
	Failures []Failure // records that could not be understood
	Next     Cursor    // empty: the list has ended
	Total    int64     // of the whole list, where the provider says it in the page; 0: unknown
	Observation
}

// Observation is what an answer told beside its records.
type Observation struct {
	Date  time.Time // the answer's Date header; zero: none
	Usage Usage
}

// Usage is what an answer said about limits. Nil: it said nothing.
type Usage struct {
	BurstLimit     *int64        // requests allowed in BurstWindow
	BurstWindow    time.Duration // of BurstLimit
	BurstRemaining *int64
	DailyLimit     *int64 // in the provider's own unit
	DailyRemaining *int64
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
