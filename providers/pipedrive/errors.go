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

const (
	headerBurstReset = "x-ratelimit-reset" // in seconds from now, not an epoch [doc]
	headerDailyLimit = "x-daily-ratelimit-token-limit"
	headerDailyLeft  = "x-daily-ratelimit-token-remaining"
)

// ask is what an answer's meaning depends on beside its status.
type ask struct {
	op         string
	what       what
	cursor     bool // the request carried one
	everWorked bool
}

type what int

const (
	anAccount what = iota
	aList
	aRecord
)

// decode reads a good answer into v, whose envelope env is; any other becomes an [*providers.Error].
func decode(answer *providers.Answer, a ask, v any, env *envelope) error {
	if !answer.OK() {
		return refusal(answer, a)
	}
	if err := answer.Decode(a.op, v); err != nil {
		return err
	}
	if env.Success != nil && !*env.Success { // not documented for a 200: as a 500
		e := refused(answer, a)
		e.Kind = providers.Transient
		return e
	}
	return nil
}

// refusal is the table of the provider's page, §4: status first, then the body's words.
func refusal(answer *providers.Answer, a ask) *providers.Error {
	e := refused(answer, a)
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
		return refusedByFirewall(e)
	case status == http.StatusForbidden && a.everWorked: // the person lost the right, or took it away
		e.Kind, e.Variant = providers.NeedsReauth, words.VariantScope
	case status == http.StatusForbidden: // our app's registration lacks the scope
		e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	case status == http.StatusNotFound && a.what == aRecord:
		e.Kind = providers.NotFound
	case status == http.StatusNotFound: // the company may have another address by now
		e.Kind, e.Variant, e.RefreshFirst = providers.Misconfigured, words.VariantApp, true
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly:
		e.Kind = providers.Transient
	case status == http.StatusTooManyRequests:
		return refusedByLimit(e, answer)
	case status == http.StatusBadRequest, status == http.StatusMethodNotAllowed, status == http.StatusGone,
		status == http.StatusUnsupportedMediaType, status == http.StatusNotImplemented:
		e.Kind, e.Variant = providers.Misconfigured, words.VariantRequest
	case status >= 500:
		return unavailable(e)
	default:
		e.Kind = providers.InvalidRequest
	}
	return e
}

// refused is an error with the provider's own words, from any of its envelopes. A page of a proxy has none.
func refused(answer *providers.Answer, a ask) *providers.Error {
	e := &providers.Error{Op: a.op, Status: answer.Status}
	var body struct {
		Error     jsontext.Value `json:"error"` // a text; by API v1 an object in some places
		ErrorInfo jsontext.Value `json:"error_info"`
		Code      jsontext.Value `json:"code"`
		ErrorCode jsontext.Value `json:"errorCode"`
	}
	if !answer.JSON() || json.Unmarshal(answer.Body, &body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return e
	}
	detail := plain(body.Error)
	if info := plain(body.ErrorInfo); info != "" && info != detail {
		detail += ": " + info
	}
	e.Detail = providers.Redact(detail)
	if e.Code = providers.Redact(plain(body.Code)); e.Code == "" {
		e.Code = providers.Redact(plain(body.ErrorCode))
	}
	return e
}

func plain(v jsontext.Value) string {
	var t text
	_ = json.Unmarshal(v, &t, jsontext.AllowInvalidUTF8(true)) // another shape has no words for people
	return string(t)
}

// redirected is never followed: the token would go along. Another host of Pipedrive is where the company lives now.
func redirected(e *providers.Error, answer *providers.Answer) *providers.Error {
	e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	target, err := answer.URL.Parse(answer.Header.Get("Location"))
	if err != nil {
		return e
	}
	if target.Host == answer.URL.Host {
		e.Variant = words.VariantRequest
	}
	e.RefreshFirst = target.Host != answer.URL.Host && Config{}.trusts((&url.URL{Scheme: target.Scheme, Host: target.Host}).String())
	e.Detail = "redirected to " + providers.Redact(target.Host)
	return e
}

// refusedByFirewall is Cloudflare's page, after we went on in spite of 429s. It says nothing of token or records.
func refusedByFirewall(e *providers.Error) *providers.Error {
	e.Kind, e.RetryAt = providers.RateLimited, time.Now().Add(15*time.Minute)
	return e
}

// refusedByLimit tells the day from the moment. Retry-after is small even when the day is spent [seen].
func refusedByLimit(e *providers.Error, answer *providers.Answer) *providers.Error {
	now := time.Now()
	if left := number(answer.Header, headerDailyLeft); left != nil && *left <= 0 {
		e.Kind, e.RetryAt = providers.QuotaExhausted, nextMidnight(now)
		return e
	}
	wait := max(answer.RetryAfter(), 2*time.Second)
	if reset := number(answer.Header, headerBurstReset); reset != nil {
		wait = max(wait, time.Duration(min(*reset, 60))*time.Second)
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
