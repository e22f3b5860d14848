package hubspot

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// statusMoving: the account is moving to another data centre [seen: quoted doc].
const statusMoving = 477

// told reads the envelope of bad answers; every member may be missing [doc: Error handling]. Its message may quote a
// person's data: it is never kept [rule].
func told(answer *providers.Answer) providers.Told {
	return providers.Told{Failed: answer.Text("status") == "error", Code: answer.Text("category"), Reference: answer.Text("correlationId")}
}

// refine is what the provider's page, §4, has beside the statuses that all share.
func refine(e *providers.Error, answer *providers.Answer, _ providers.Ask) {
	switch {
	case answer.Status == http.StatusForbidden && answer.JSON() && e.Code != "MISSING_SCOPES":
		e.Become(providers.Blocked, words.VariantSuspended, 0)
	case answer.Status == http.StatusBadRequest && e.Kind == providers.Misconfigured:
		e.Become(providers.InvalidRequest, "", 0)
	case answer.Status == http.StatusServiceUnavailable: // no maintenance that is announced
		e.Become(providers.Transient, "", 0)
	}
	limited(e, answer)
}

// limited tells the limits apart by their name, else by the word in the message.
func limited(e *providers.Error, answer *providers.Answer) {
	limit := strings.ToLower(answer.Text("policyName") + " " + answer.Text("message"))
	switch asked := answer.RetryAfter(); {
	case answer.Status == statusMoving:
		e.Become(providers.RateLimited, "", cmp.Or(asked, time.Hour))
	case answer.Status != http.StatusTooManyRequests:
	case strings.Contains(limit, "daily"): // ends at midnight of a time zone that we don't know here
		e.Become(providers.QuotaExhausted, "", time.Hour)
	case asked > 0: // then that is the wait
	case strings.Contains(limit, "secondly") && !strings.Contains(limit, "ten_secondly"):
		e.Become(providers.RateLimited, "", time.Second)
	default:
		e.Become(providers.RateLimited, "", 10*time.Second)
	}
}

// tokenWords are those of version 1, in "status" [seen]; version 3 has those of OAuth in "error" [?].
var tokenWords = map[string]providers.ErrorKind{ //nolint:gochecknoglobals // a constant table
	"bad_auth_code": providers.NeedsReauth, "mismatch_redirect_uri_auth_code": providers.NeedsReauth,
	"bad_refresh_token": providers.NeedsReauth,
	"bad_client_id":     providers.Misconfigured, "bad_client_secret": providers.Misconfigured,
	"bad_request": providers.Misconfigured, "bad_grant_type": providers.Misconfigured,
}

// tokenRefusal knows a token of another app too: our id and secret were swapped [bug: airbytehq/airbyte#79592].
func tokenRefusal(answer *providers.Answer) *providers.Error {
	e := providers.TokenRefusal(answer, tokenWords)
	if e.Kind == providers.NeedsReauth && strings.Contains(strings.ToLower(e.Detail), "not issued to this client") {
		e.Become(providers.Misconfigured, words.VariantApp, 0)
	}
	limited(e, answer)
	return e
}
