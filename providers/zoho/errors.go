package zoho

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// headerCredits is what is left of 24 hours' credits. It comes only once half of them are spent [doc: API Limits].
const headerCredits = "X-API-CREDITS-REMAINING" //nolint:gosec // a header

// smallBody bounds the good answers that are searched for an error: those are short, and a page of records isn't.
const smallBody = 4 << 10

// ask is a request's name and price, and what its answer's meaning depends on beside the status.
type ask struct {
	op      string
	credits int64               // 0: one
	changes bool                // it said since when
	gone    providers.ErrorKind // it was about one thing: what it means if there is no such thing
	cursor  bool                // it carried a page token
}

// told finds an error in a body: flat, or the first of a list named data or watch. Nil: it speaks of none.
func told(body jsontext.Value) jsontext.Value {
	for _, p := range []jsontext.Value{body, providers.Dig(body, "data", "0"), providers.Dig(body, "watch", "0")} {
		if providers.Plain(p, "code") != "" {
			return p
		}
	}
	return nil
}

// odd is a good answer that isn't what was asked for.
func odd(a ask, detail string) *providers.Error {
	return &providers.Error{Kind: providers.SchemaChanged, Op: a.op, Status: http.StatusOK, Detail: detail}
}

// refused is the table of the provider's page, §5: by the code, then by the status. Nil: the answer is a good one. A good
// status with an error in its body is none.
func refused(answer *providers.Answer, a ask) *providers.Error {
	var p jsontext.Value
	if !answer.OK() || len(answer.Body) <= smallBody {
		p = told(answer.Body)
	}
	if answer.OK() && providers.Plain(p, "status") != "error" || answer.Status == http.StatusNotModified && a.changes {
		return nil
	}
	e := &providers.Error{Op: a.op, Status: answer.Status, Code: providers.Redact(providers.Plain(p, "code")), Detail: providers.Redact(providers.Plain(p, "message"))}
	switch code, status := e.Code, answer.Status; {
	case status >= 300 && status < 400:
		redirected(e, answer)
	case status == http.StatusTooManyRequests, code == "TOO_MANY_REQUESTS", code == "RATE_LIMIT_EXCEEDED":
		limited(e, answer)
	case code == "TOKEN_BOUND_DATA_MISMATCH", code == "EXPIRED_VALUE",
		a.cursor && status == http.StatusBadRequest && code == "INVALID_DATA" && strings.Contains(string(providers.Dig(p, "details")), "page_token"):
		e.Kind = providers.CursorExpired
	case a.changes && (code == tooLong || code == "DISCRETE_PAGINATION_LIMIT_EXCEEDED"):
		e.Kind = providers.ListTooLong
	case code == "OAUTH_SCOPE_MISMATCH": // no refresh mends it
		e.Kind, e.Variant = providers.NeedsReauth, words.VariantScope
	case status == http.StatusUnauthorized, code == "INVALID_TOKEN", code == "AUTHENTICATION_FAILURE":
		// With a fresh token, unless the status was a good one; or at the host of another data centre.
		e.Kind, e.Variant, e.RefreshFirst = providers.NeedsReauth, words.VariantRevoked, true
	case status == http.StatusForbidden && !answer.JSON(): // the edge's page, which knows nothing of rights [?]
		e.Kind, e.RetryAt = providers.RateLimited, time.Now().Add(15*time.Minute)
	case status == http.StatusForbidden, code == "NO_PERMISSION", status == http.StatusPaymentRequired:
		e.Kind, e.Variant, e.RetryAt = providers.Blocked, words.VariantPermission, time.Now().Add(24*time.Hour)
	case a.gone != "" && (code == "INVALID_DATA" || code == "RESOURCE_NOT_FOUND" || code == "NOT_SUBSCRIBED" ||
		code == "" && status == http.StatusNotFound && answer.JSON()):
		e.Kind = a.gone
	case status == http.StatusNotFound, code == "INVALID_MODULE", code == "INVALID_URL_PATTERN": // hidden, or another host by now
		e.Kind, e.Variant, e.RefreshFirst = providers.Misconfigured, words.VariantRequest, true
	case status == http.StatusServiceUnavailable:
		e.Kind, e.RetryAt = providers.Transient, time.Now().Add(5*time.Minute)
	case status == http.StatusNotImplemented, status >= 400 && status < 500 && status != http.StatusRequestTimeout: // our way of asking
		e.Kind, e.Variant = providers.Misconfigured, words.VariantRequest
	default:
		e.Kind = providers.Transient
	}
	return e
}

// tooLong ends a list at its 100,000th record.
const tooLong = "PAGINATION_LIMIT_EXCEEDED"

// redirected is never followed: the token would go along. Another host of Zoho is where the account may live now.
func redirected(e *providers.Error, answer *providers.Answer) {
	e.Kind, e.Variant = providers.Misconfigured, words.VariantRequest
	target, err := answer.URL.Parse(answer.Header.Get("Location"))
	if err == nil && target.Host != answer.URL.Host {
		e.Variant, e.Detail = words.VariantApp, "redirected to "+providers.Redact(target.Host)
		e.RefreshFirst = Config{}.trustsDomain((&url.URL{Scheme: target.Scheme, Host: target.Host}).String())
	}
}

// limited tells spent credits from too many calls at once, which the body doesn't. Nothing says when to come back.
func limited(e *providers.Error, answer *providers.Answer) {
	if left := answer.Number(headerCredits); left != nil && *left <= 0 {
		e.Kind, e.RetryAt = providers.QuotaExhausted, time.Now().Add(time.Hour) // some come back each hour
		return
	}
	e.Kind, e.RetryAt = providers.RateLimited, within(5*time.Second, time.Minute)
}

// within is a moment between the two from now on, so that callers come back one by one.
func within(least, most time.Duration) time.Time {
	return time.Now().Add(least + rand.N(most-least)) //nolint:gosec // a spread, not a secret
}
