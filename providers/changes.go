package providers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// Changes is a provider's way of telling that contacts have changed. What it tells is a hint and never data: the engine
// reads each record by its id. Safe for concurrent use.
type Changes struct {
	// Subscribe makes the provider notify a channel, or goes on doing so: s is the subscription as it is known, with
	// neither ID nor ExpiresAt where there is none. It repeats without effect: one that is there already, by its URL, is
	// taken over, and a lost one is made anew. It returns the subscription as the provider granted it. The error is an
	// [*Error]: one with cause [ErrNoNotifications] where the account can't have one. Nil: one setting at the provider, made by hand, serves
	// all accounts of our app.
	Subscribe func(ctx context.Context, account Account, client *http.Client, s Subscription) (Subscription, error)

	// Unsubscribe ends a subscription; one that is gone is no error.
	Unsubscribe func(ctx context.Context, account Account, client *http.Client, s Subscription) error

	// Read verifies a notification and reads it. [ErrUnverified] says that it isn't the provider who speaks, or that this
	// can't be told; any other error, that what the provider says can't be understood. It is called once, when the
	// notification comes.
	Read func(n Notification) ([]Change, error)
}

// Subscription is a provider's promise to notify a channel of one account's changes.
type Subscription struct {
	Channel   string    // ours: names the channel, the same for the integration's life
	URL       string    // where the provider sends its notifications; it ends in the channel
	Secret    string    // by which a notification proves itself, at most 43 letters and digits
	ID        string    // the provider's name of it; empty: there is none yet
	ExpiresAt time.Time // zero: never
}

// Notification is what came to a channel.
type Notification struct {
	URL    string // the public one, as it was registered, with its query
	Secret string // of the subscription; empty where one setting serves all accounts
	Header http.Header
	Body   []byte // as it came
}

// Change is one thing that a notification tells.
type Change struct {
	// Key is the same for every delivery of the same event and differs for any two events; empty: the body's bytes are
	// all there is to tell them apart.
	Key string

	Account     string   // [Account.ExternalID]; empty: that of the channel
	ExternalIDs []string // the records to read
	Deleted     bool     // it speaks of a deletion, which no list of changes shows
}

// ErrNoNotifications says that an account can't have a subscription, or no more of them: its plan or a limit forbids it.
// It is the cause of an [*Error]; the schedule alone then finds what changes.
var ErrNoNotifications = errors.New("the provider grants no notifications here")

// NoNotifications marks the refusal of a subscription that the account's grant, edition or limits forbid, by the kind
// [Blocked] or the provider's own codes: it asks nothing of a person, and is tried again in a day.
func NoNotifications(err error, codes ...string) error {
	if e, ok := errors.AsType[*Error](err); ok && (e.Kind == Blocked || slices.Contains(codes, e.Code)) {
		e.Kind, e.Err, e.RetryAt = Blocked, ErrNoNotifications, time.Now().Add(24*time.Hour)
	}
	return err
}
