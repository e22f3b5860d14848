package providers

import (
	"cmp"
	"net/http"
	"strings"

	"example.com/enlace/providers/words"
)

// tokenKinds are the words of RFC 6749 §5.2, and those of §4.1.2.1 for a fault of theirs.
var tokenKinds = map[string]ErrorKind{ //nolint:gochecknoglobals // a constant table
	"invalid_grant":  NeedsReauth,
	"invalid_client": Misconfigured, "unauthorized_client": Misconfigured, "invalid_request": Misconfigured,
	"unsupported_grant_type": Misconfigured, "invalid_scope": Misconfigured,
	"server_error": Transient, "temporarily_unavailable": Transient,
}

// TokenRefusal classifies an answer of a token host that isn't a grant, by its word: the member "error", else "status",
// else what "message" says before its colon. Own are the provider's words beside those of RFC 6749 §5.2, in small
// letters. Without a known word only a 401 speaks of our app, and nothing disconnects a person. It survives any body.
func TokenRefusal(answer *Answer, own map[string]ErrorKind) *Error {
	message := answer.Text("message")
	class, _, _ := strings.Cut(message, ":")
	code := cmp.Or(answer.Text("error"), answer.Text("status"), strings.ReplaceAll(strings.TrimSpace(class), " ", "_"))
	e := &Error{Status: answer.Status, Code: Redact(code), Detail: cmp.Or(answer.Text("error_description"), message)}
	word := strings.ToLower(code)
	kind := cmp.Or(own[word], tokenKinds[word])
	switch status := answer.Status; {
	case status == http.StatusTooManyRequests:
		e.Become(RateLimited, "", burstWait(answer))
	case status == http.StatusServiceUnavailable:
		e.Become(Transient, "", MaintenanceWait)
	case status >= 500:
		e.Become(Transient, "", 0)
	case kind == NeedsReauth:
		e.Become(kind, words.VariantRevoked, 0)
	case kind == Misconfigured, kind == "" && (status == http.StatusUnauthorized || status >= 300 && status < 400):
		e.Become(Misconfigured, words.VariantApp, 0)
	case kind == "" && status == http.StatusForbidden && !answer.JSON():
		e.Become(RateLimited, "", FirewallWait)
	default: // a page on the way, or a word that we don't know: no refusal of a person or of our app
		e.Become(cmp.Or(kind, Transient), "", 0)
	}
	return e
}
