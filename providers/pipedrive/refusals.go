package pipedrive

import (
	"cmp"
	"net/http"
	"time"

	"example.com/enlace/providers"
)

// told reads the union of the envelopes of bad answers [doc: Responses] [bug: pipedrive/client-php#234]. A member may be
// an object where a text is promised, and then has no words for people.
func told(answer *providers.Answer) providers.Told {
	detail, info := answer.Text("error"), answer.Text("error_info")
	if info != "" && info != detail {
		detail += ": " + info
	}
	failed := string(providers.Dig(answer.Body, "success")) == "false" // not documented for a 200: as a 500
	return providers.Told{Failed: failed, Code: cmp.Or(answer.Text("code"), answer.Text("errorCode")), Detail: detail}
}

// refine tells the day's limit from the moment's. Retry-After is small even when the day is spent [seen].
func refine(e *providers.Error, answer *providers.Answer, _ providers.Ask) {
	if answer.Status != http.StatusTooManyRequests {
		return
	}
	if left := answer.Number(headerDailyLeft); left != nil && *left <= 0 {
		e.Become(providers.QuotaExhausted, "", 0)
		e.RetryAt = nextMidnight(time.Now())
		return
	}
	if seconds := answer.Number("x-ratelimit-reset"); seconds != nil { // from now, not an epoch [doc]
		reset := time.Duration(min(*seconds, 60)) * time.Second
		e.Become(providers.RateLimited, "", min(max(reset, answer.RetryAfter(), 2*time.Second), time.Minute))
	}
}
