package pipedrive

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// headerDailyLeft is what is left of the day's budget, in tokens.
const headerDailyLeft = "x-daily-ratelimit-token-remaining"

// ask is what an answer's meaning depends on beside its status.
type ask struct {
	op         string
	cursor     bool // the request carried one
	record     bool // it was about one record
	everWorked bool // see [providers.Account]
}

// decode reads a good answer; any other becomes an [*providers.Error].
func decode[T any](answer *providers.Answer, a ask) (envelope[T], error) {
	var body envelope[T]
	if !answer.OK() {
		return body, refused(answer, a)
	}
	if err := answer.Decode(a.op, &body); err != nil {
		return body, err
	}
	if body.Success != nil && !*body.Success { // not documented for a 200: as a 500
		e := told(answer, a)
		e.Kind = providers.Transient
		return body, e
	}
	return body, nil
}

// odd is a good answer that isn't what was asked for.
func odd(answer *providers.Answer, a ask, detail string) *providers.Error {
	return &providers.Error{Kind: providers.SchemaChanged, Op: a.op, Status: answer.Status, Detail: detail}
}

// refused is the table of the provider's page, §4: by the status.
func refused(answer *providers.Answer, a ask) *providers.Error {
	e := told(answer, a)
	switch status := answer.Status; {
	case status >= 300 && status < 400:
		return redirected(e, answer)
	case status == http.StatusBadRequest && a.cursor:
		e.Kind = providers.CursorExpired
	case status == http.StatusUnauthorized: // with a fresh token: the client has refreshed and asked again
		e.Kind, e.Variant = providers.NeedsReauth, words.VariantRevoked
	case status == http.StatusPaymentRequired: // trial over or unpaid; the token is fine
		e.Kind, e.Variant, e.RetryAt = providers.Blocked, words.VariantPayment, time.Now().Add(24*time.Hour)
	case status == http.StatusForbidden && !answer.JSON():
		return firewalled(e)
	case status == http.StatusForbidden && a.everWorked: // the person lost the right, or took it away
		e.Kind, e.Variant = providers.NeedsReauth, words.VariantScope
	case status == http.StatusForbidden: // our app's registration lacks the scope
		e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	case status == http.StatusNotFound && a.record && answer.JSON():
		e.Kind = providers.NotFound
	case status == http.StatusNotFound: // the company may have another address by now
		e.Kind, e.Variant, e.RefreshFirst = providers.Misconfigured, words.VariantApp, true
	case status == http.StatusTooManyRequests:
		return limited(e, answer)
	case status == http.StatusBadRequest, status == http.StatusMethodNotAllowed, status == http.StatusGone,
		status == http.StatusUnsupportedMediaType, status == http.StatusNotImplemented:
		e.Kind, e.Variant = providers.Misconfigured, words.VariantRequest
	case status >= 500, status == http.StatusRequestTimeout:
		return unavailable(e)
	default:
		e.Kind = providers.InvalidRequest
	}
	return e
}

// told is an error with the provider's own words. A page of a proxy has none.
func told(answer *providers.Answer, a ask) *providers.Error {
	e := &providers.Error{Op: a.op, Status: answer.Status}
	var body refusal
	if !answer.JSON() || json.Unmarshal(answer.Body, &body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return e
	}
	e.Detail = plain(body.Error)
	if info := plain(body.ErrorInfo); info != "" && info != e.Detail {
		e.Detail += ": " + info
	}
	e.Detail = providers.Redact(e.Detail)
	if e.Code = providers.Redact(plain(body.Code)); e.Code == "" {
		e.Code = providers.Redact(plain(body.ErrorCode))
	}
	return e
}

func plain(v jsontext.Value) string {
	var t providers.Text
	_ = json.Unmarshal(v, &t, jsontext.AllowInvalidUTF8(true)) // an object has no words for people
	return string(t)
}

// redirected is never followed: the token would go along. Another host of Pipedrive is where the company lives now.
func redirected(e *providers.Error, answer *providers.Answer) *providers.Error {
	e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	target, err := answer.URL.Parse(answer.Header.Get("Location"))
	switch {
	case err != nil:
	case target.Host == answer.URL.Host:
		e.Variant = words.VariantRequest
	default:
		e.RefreshFirst = Config{}.trusts((&url.URL{Scheme: target.Scheme, Host: target.Host}).String())
		e.Detail = "redirected to " + providers.Redact(target.Host)
	}
	return e
}

// firewalled is Cloudflare's page, after we went on in spite of 429s. It says nothing of token or records.
func firewalled(e *providers.Error) *providers.Error {
	e.Kind, e.RetryAt = providers.RateLimited, time.Now().Add(15*time.Minute)
	return e
}

// limited tells the day from the moment. Retry-After is small even when the day is spent [seen].
func limited(e *providers.Error, answer *providers.Answer) *providers.Error {
	now := time.Now()
	if left := answer.Number(headerDailyLeft); left != nil && *left <= 0 {
		e.Kind, e.RetryAt = providers.QuotaExhausted, nextMidnight(now)
		return e
	}
	wait := max(answer.RetryAfter(), 2*time.Second)
	if seconds := answer.Number("x-ratelimit-reset"); seconds != nil { // from now, not an epoch [doc]
		wait = max(wait, time.Duration(min(*seconds, 60))*time.Second)
	}
	e.Kind, e.RetryAt = providers.RateLimited, now.Add(min(wait, time.Minute))
	return e
}

// unavailable is a fault of theirs; 503 is maintenance, which takes longer.
func unavailable(e *providers.Error) *providers.Error {
	e.Kind = providers.Transient
	if e.Status == http.StatusServiceUnavailable {
		e.RetryAt = time.Now().Add(5 * time.Minute)
	}
	return e
}
