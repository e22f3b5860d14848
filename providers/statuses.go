package providers

import (
	"net/http"
	"net/url"
	"time"

	"example.com/enlace/providers/words"
)

// Waits that hold where a provider names none.
const (
	BlockedWait     = 24 * time.Hour   // until an account that may not is looked at again
	FirewallWait    = 15 * time.Minute // after a firewall's page
	MaintenanceWait = 5 * time.Minute  // after a 503
	leastWait       = 2 * time.Second  // after a 429, a 423
	mostWait        = time.Minute      // after a 429, whatever it says: a quota has a kind of its own
)

// statusEdge is how Cloudflare says that it has nobody behind it to ask.
const statusEdge = 530

// Become makes an error another one: of that kind and variant, to be tried again after so long. A wait of 0 leaves that to
// the engine, and is [BlockedWait] for [Blocked].
func (e *Error) Become(kind ErrorKind, variant string, wait time.Duration) {
	e.Kind, e.Variant, e.RefreshFirst, e.RetryAt = kind, variant, false, time.Time{}
	if kind == Blocked && wait == 0 {
		wait = BlockedWait
	}
	if wait != 0 {
		e.RetryAt = time.Now().Add(wait)
	}
}

// classify is what a status means at every provider, as far as none says otherwise. A 401 comes here a second time: the
// client has renewed the token and asked again.
func (c *Caller) classify(e *Error, answer *Answer, ask Ask) {
	switch status := answer.Status; {
	case status >= 300 && status < 400:
		c.redirected(e, answer)
	case status == http.StatusBadRequest && ask.Cursor != "":
		e.Become(CursorExpired, "", 0)
	case status == http.StatusUnauthorized:
		e.Become(NeedsReauth, words.VariantRevoked, 0)
	case status == http.StatusPaymentRequired:
		e.Become(Blocked, words.VariantPayment, 0)
	case status == http.StatusForbidden && !answer.JSON(), status == statusEdge: // it says nothing of token or records
		e.Become(RateLimited, "", FirewallWait)
	case status == http.StatusForbidden && c.everWorked: // the person lost the right, or took it away
		e.Become(NeedsReauth, words.VariantScope, 0)
	case status == http.StatusForbidden: // our app's registration lacks the scope
		e.Become(Misconfigured, words.VariantApp, 0)
	case status == http.StatusNotFound && ask.Record && answer.JSON():
		e.Become(NotFound, "", 0)
	case status == http.StatusNotFound && c.api.Trusts != nil: // the account may have another host by now
		e.Become(Misconfigured, words.VariantApp, 0)
		e.RefreshFirst = true
	case status == http.StatusLocked: // by another writer, for a moment
		e.Become(RateLimited, "", leastWait)
	case status == http.StatusTooManyRequests:
		e.Become(RateLimited, "", burstWait(answer))
	case status == http.StatusServiceUnavailable:
		e.Become(Transient, "", MaintenanceWait)
	case oursToMend(status):
		e.Become(Misconfigured, words.VariantRequest, 0)
	case status >= 500, status == http.StatusRequestTimeout, answer.OK(): // a 200 that says it failed
		e.Become(Transient, "", 0)
	default:
		e.Become(InvalidRequest, "", 0)
	}
}

// oursToMend are the statuses that refuse our way of asking, whoever's account it is.
func oursToMend(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusRequestURITooLong,
		http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}

// burstWait is the wait that a 429 asks for, within bounds.
func burstWait(answer *Answer) time.Duration {
	return min(max(answer.RetryAfter(), leastWait), mostWait)
}

// redirected is never followed: the token would go along. Another host of the provider's is where the account lives now.
func (c *Caller) redirected(e *Error, answer *Answer) {
	e.Become(Misconfigured, words.VariantApp, 0)
	target, err := answer.URL.Parse(answer.Header.Get("Location"))
	switch {
	case err != nil:
	case target.Host == answer.URL.Host:
		e.Variant = words.VariantRequest
	default:
		host := url.URL{Scheme: target.Scheme, Host: target.Host}
		e.RefreshFirst = c.api.Trusts != nil && c.api.Trusts(host.String())
		e.Detail = "redirected to " + Redact(target.Host)
	}
}
