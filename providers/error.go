package providers

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrorKind says what the engine does about an error. Adapters choose it once; nobody above them looks at statuses or texts.
type ErrorKind string

// The kinds, and what the worker does for each.
const (
	Transient      ErrorKind = "transient"       // back off on the run
	RateLimited    ErrorKind = "rate_limited"    // snooze until RetryAt
	QuotaExhausted ErrorKind = "quota_exhausted" // park the account until RetryAt
	NeedsReauth    ErrorKind = "needs_reauth"    // stop; a person reconnects
	Misconfigured  ErrorKind = "misconfigured"   // our app's id, secret, scope or host; the operator acts
	Blocked        ErrorKind = "blocked"         // the account may not; look again in 24 h
	CursorExpired  ErrorKind = "cursor_expired"  // restart the walk once
	ListTooLong    ErrorKind = "list_too_long"   // more changes than the provider lists: sweep instead
	InvalidRequest ErrorKind = "invalid_request" // the provider refuses this one thing
	NotFound       ErrorKind = "not_found"       // one record is gone
	UnknownOutcome ErrorKind = "unknown_outcome" // a send left and no clear answer came
	SchemaChanged  ErrorKind = "schema_changed"  // an answer that isn't the provider's schema
	Internal       ErrorKind = "internal"        // ours
)

// Error is a provider's failure, classified. It carries no secret and no personal datum: Detail is the provider's own words
// with both cut out (see [Redact]).
type Error struct {
	Kind    ErrorKind
	Op      string    // "pipedrive: list contacts"
	Status  int       // HTTP status, 0 where none came
	Code    string    // the provider's own code, if it has one
	Detail  string    // the provider's own words, at most 200 characters
	Variant string    // a finer sentence of the same kind (WORDS §2), such as "payment"
	RetryAt time.Time // on this process's clock; zero: the engine chooses

	// Record is the one that was read by its id, is there, and can't be understood.
	Record *Failure

	// Doubtful is a refusal that the provider gives by mistake at times: it is believed the second time.
	Doubtful bool

	// RefreshFirst says that renewing the token may mend it: the account has moved to another host, say.
	RefreshFirst bool

	Err error // the cause, for the log; with it the call's reference, by which the provider's support finds it
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(string(e.Kind))
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil && e.Err.Error() != e.Detail {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrUnverified is the answer to a notice that doesn't prove who sent it.
var ErrUnverified = errors.New("the sender is not the provider")

// KindOf is the kind of an error from an adapter; an error that nobody classified is [Internal].
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
