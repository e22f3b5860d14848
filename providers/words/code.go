package words

import (
	"net/http"
	"slices"
)

// Code names one cause that a person or a program can meet. Codes are stored
// in error_code, sent as `code` by the API, and never change their meaning.
type Code string

// The closed list: 30 codes, no more.
const (
	ProviderUnavailable  Code = "provider_unavailable"
	RateLimited          Code = "rate_limited"
	QuotaExhausted       Code = "quota_exhausted"
	NeedsReauth          Code = "needs_reauth"
	Misconfigured        Code = "misconfigured"
	Blocked              Code = "blocked"
	CursorExpired        Code = "cursor_expired"
	InvalidRequest       Code = "invalid_request"
	NotFound             Code = "not_found"
	UnknownOutcome       Code = "unknown_outcome"
	SchemaChanged        Code = "schema_changed"
	RecordSkipped        Code = "record_skipped"
	DeletionsHeld        Code = "deletions_held"
	Drift                Code = "drift"
	WebhookLost          Code = "webhook_lost"
	ProviderSunset       Code = "provider_sunset"
	Interrupted          Code = "interrupted"
	Cancelled            Code = "cancelled"
	Internal             Code = "internal"
	Unauthorized         Code = "unauthorized"
	Forbidden            Code = "forbidden"
	ValidationFailed     Code = "validation_failed"
	Conflict             Code = "conflict"
	IntegrationInactive  Code = "integration_inactive"
	ConnectDenied        Code = "connect_denied"
	ConnectInvalid       Code = "connect_invalid"
	WindowClosed         Code = "window_closed"
	TemplateRejected     Code = "template_rejected"
	RecipientUnavailable Code = "recipient_unavailable"
	ChannelSetup         Code = "channel_setup"
)

// Variants pick a more exact sentence of the same code. A program that
// branches, branches on the code.
const (
	VariantOurs         = "ours"          // rate_limited: our own limit per key
	VariantReserve      = "reserve"       // quota_exhausted: the last part is left to the tenant's other apps
	VariantRevoked      = "revoked"       // needs_reauth: as without a variant
	VariantScope        = "scope"         // needs_reauth: one permission is missing
	VariantApp          = "app"           // misconfigured: as without a variant
	VariantRequest      = "request"       // misconfigured: our way of asking is refused
	VariantKey          = "key"           // misconfigured: a stored token does not open
	VariantPayment      = "payment"       // blocked
	VariantSuspended    = "suspended"     // blocked
	VariantPermission   = "permission"    // blocked: the connected user may not read contacts
	VariantSync         = "sync"          // invalid_request on a run
	VariantGaveUp       = "gave_up"       // invalid_request: refused three times
	VariantIncoming     = "incoming"      // webhook_lost: as without a variant
	VariantOutgoing     = "outgoing"      // webhook_lost: a tenant's own endpoint was switched off
	VariantDatabase     = "database"      // internal: Postgres is away
	VariantState        = "state"         // conflict: as without a variant
	VariantKeyRunning   = "key_running"   // conflict: the same Idempotency-Key is in progress
	VariantKeyReused    = "key_reused"    // conflict: the same Idempotency-Key with other content
	VariantDisconnected = "disconnected"  // integration_inactive
	VariantPartial      = "partial"       // connect_denied: a needed permission was left out
	VariantExpired      = "expired"       // connect_invalid
	VariantUsed         = "used"          // connect_invalid
	VariantOtherBrowser = "other_browser" // connect_invalid
	VariantOtherTenant  = "other_tenant"  // connect_invalid
	VariantForged       = "forged"        // connect_invalid
	VariantCode         = "code"          // connect_invalid: the provider refused the authorization code
	VariantUnreachable  = "unreachable"   // recipient_unavailable: as without a variant
	VariantOptedOut     = "opted_out"     // recipient_unavailable
	VariantCountry      = "country"       // recipient_unavailable
	VariantTestOnly     = "test_only"     // recipient_unavailable
	VariantLater        = "later"         // recipient_unavailable: earliest 24 h later
)

// Severity says how much a cause asks of people.
type Severity string

// The severities, from nothing to do to our own fault.
const (
	SeverityInfo  Severity = "info"  // a note
	SeverityWait  Severity = "wait"  // repairs itself
	SeverityAct   Severity = "act"   // a person of the tenant acts
	SeverityFault Severity = "fault" // an operator acts
)

// Tone is the colour token that a severity has for its reader: only operators
// see a fault in red, since the tenant can do nothing about it.
func (s Severity) Tone(operator bool) Tone {
	switch s {
	case SeverityInfo:
		return ToneMute
	case SeverityWait:
		return ToneWait
	case SeverityAct:
		return ToneAct
	case SeverityFault:
		if operator {
			return ToneAct
		}
	}
	return ToneWait
}

// Actor is who ends a cause.
type Actor string

// The actors.
const (
	We       Actor = "we" // the machine, by itself
	Tenant   Actor = "tenant"
	Operator Actor = "operator"
	Nobody   Actor = "nobody"
)

// Facts is what the table knows of a code besides its words.
type Facts struct {
	Code     Code
	Who      Actor
	Severity Severity
	// HTTP is the status of an API answer; 0 for a code that only runs and
	// messages have. OtherHTTP lists the statuses the same code has elsewhere.
	HTTP      int
	OtherHTTP []int

	// Incident: the code opens one incident for an integration, which closes
	// by itself. IncidentAfter failures in a row are needed for it (0: the
	// first does). LowUrgency asks for no mail at night, ToOperators leaves
	// the tenant out.
	Incident      bool
	IncidentAfter int
	LowUrgency    bool
	ToOperators   bool

	// Condition, WhoActs and Retry are the docs' words for when the code is
	// used, who acts, and what happens by itself. English, in Markdown.
	Condition string
	WhoActs   string
	Retry     string

	Variants []Variant
}

// Variant is one variant of a code and the facts in which it differs. Empty
// fields are as in the code itself.
type Variant struct {
	Name     string
	Who      Actor
	Severity Severity
	HTTP     int
}

// Codes lists the facts of every code, in the order of the docs. The list is
// the caller's own; what the facts point to is shared and read only.
func Codes() []Facts {
	return slices.Clone(facts)
}

// Known reports whether the closed list has the code and, unless it is empty,
// the variant.
func Known(code Code, variant string) bool {
	_, ok := lookup(code, variant)
	return ok
}

// FactsOf returns the facts of a code with its variant's differences applied.
// An unknown code or variant is our own fault: it has the facts of [Internal].
func FactsOf(code Code, variant string) Facts {
	if f, ok := lookup(code, variant); ok {
		return f
	}
	f, _ := lookup(Internal, "")
	return f
}

func lookup(code Code, variant string) (Facts, bool) {
	for _, f := range facts {
		if f.Code != code {
			continue
		}
		if variant == "" {
			return f, true
		}
		for _, v := range f.Variants {
			if v.Name == variant {
				return v.applyTo(f), true
			}
		}
	}
	return Facts{}, false
}

func (v Variant) applyTo(f Facts) Facts {
	if v.Who != "" {
		f.Who = v.Who
	}
	if v.Severity != "" {
		f.Severity = v.Severity
	}
	if v.HTTP != 0 {
		f.HTTP = v.HTTP
	}
	return f
}

// HTTPStatus is the status of an API answer with this code. A code that is
// never an answer, answered all the same, is our fault: 500.
func HTTPStatus(code Code, variant string) int {
	if status := FactsOf(code, variant).HTTP; status != 0 {
		return status
	}
	return http.StatusInternalServerError
}

// FromKind maps the kind of a provider error to its code. All kinds but one
// have the code of the same name. An unknown kind is [Internal] and false.
func FromKind(kind string) (Code, bool) {
	switch code := Code(kind); code { //nolint:exhaustive // some of the codes are kinds
	case "transient":
		return ProviderUnavailable, true
	case RateLimited, QuotaExhausted, NeedsReauth, Misconfigured, Blocked,
		CursorExpired, InvalidRequest, NotFound, UnknownOutcome, SchemaChanged:
		return code, true
	default:
		return Internal, false
	}
}
