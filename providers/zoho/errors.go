package zoho

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// headerCredits is what is left of 24 hours' credits. It comes only once half of them are spent [doc: API Limits].
const headerCredits = "X-API-CREDITS-REMAINING" //nolint:gosec // a header

// headerSince asks for what happened at or after a second.
const headerSince = "If-Modified-Since"

// tooLong ends a list at its 100,000th record.
const tooLong = "PAGINATION_LIMIT_EXCEEDED"

// told finds a failure in a body: flat, or the first of a list named data or watch.
func told(answer *providers.Answer) providers.Told {
	for _, path := range [][]string{nil, {"data", "0"}, {"watch", "0"}} {
		p := providers.Dig(answer.Body, path...)
		if code := providers.Plain(p, "code"); code != "" {
			return providers.Told{Failed: providers.Plain(p, "status") == "error", Code: code, Detail: providers.Plain(p, "message")}
		}
	}
	return providers.Told{}
}

// refine is the table of the provider's page, §5, as far as its codes say more than the status.
func refine(e *providers.Error, answer *providers.Answer, ask providers.Ask) {
	token := ask.Query.Get("page_token") != "" && strings.Contains(string(answer.Body), "page_token")
	switch code, status := e.Code, answer.Status; {
	case status == http.StatusTooManyRequests, code == "TOO_MANY_REQUESTS", code == "RATE_LIMIT_EXCEEDED":
		e.Become(providers.RateLimited, "", between(5*time.Second, time.Minute)) // nothing says when to come back
		if left := answer.Number(headerCredits); left != nil && *left <= 0 {
			e.Become(providers.QuotaExhausted, "", time.Hour) // some come back each hour
		}
	case code == "TOKEN_BOUND_DATA_MISMATCH", code == "EXPIRED_VALUE", token && code == "INVALID_DATA":
		e.Become(providers.CursorExpired, "", 0)
	case ask.Header.Get(headerSince) != "" && (code == tooLong || code == "DISCRETE_PAGINATION_LIMIT_EXCEEDED"):
		e.Become(providers.ListTooLong, "", 0)
	case code == "OAUTH_SCOPE_MISMATCH": // no refresh mends it
		e.Become(providers.NeedsReauth, words.VariantScope, 0)
	case status == http.StatusUnauthorized, code == "INVALID_TOKEN", code == "AUTHENTICATION_FAILURE":
		// With a fresh token, unless the status was a good one; or at the host of another data centre.
		e.Become(providers.NeedsReauth, words.VariantRevoked, 0)
		e.RefreshFirst = true
	case status == http.StatusForbidden && answer.JSON(), code == "NO_PERMISSION":
		e.Become(providers.Blocked, words.VariantPermission, 0)
	case ask.Record && (code == "INVALID_DATA" || code == "RESOURCE_NOT_FOUND" || code == "NOT_SUBSCRIBED"):
		e.Become(providers.NotFound, "", 0)
	case status == http.StatusNotFound && e.Kind != providers.NotFound, code == "INVALID_MODULE", code == "INVALID_URL_PATTERN": // hidden, or another host by now
		e.Become(providers.Misconfigured, words.VariantRequest, 0)
		e.RefreshFirst = true
	}
}

// between is a wait of a length that differs, so that callers come back one by one.
func between(least, most time.Duration) time.Duration {
	return least + rand.N(most-least) //nolint:gosec // a spread, not a secret
}
