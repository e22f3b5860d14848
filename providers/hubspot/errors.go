package hubspot

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
)

// statusMoving: the account is moving to another data centre [seen: quoted doc].
const statusMoving = 477

// ask is what an answer's meaning depends on beside its status.
type ask struct {
	op         string
	cursor     bool // the request carried one of the provider's
	record     bool // it was about one record
	everWorked bool // see [providers.Account]
}

// refusal is the envelope of bad answers; every member may be missing [doc: Error handling]. Its message may quote a
// person's data: it is never kept [rule].
type refusal struct{ Status, Message, Category, PolicyName, CorrelationID, Error, ErrorDescription string }

// tell reads the envelope; a page of a proxy has none.
func tell(answer *providers.Answer) (told refusal) {
	_ = json.Unmarshal(answer.Body, &told, json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return told
}

// do asks, and reads a good answer into v; any other becomes an [*providers.Error].
func (a ask) do(ctx context.Context, h *providers.HTTP, r providers.Request, v any) (*providers.Answer, error) {
	answer, err := h.Do(ctx, a.op, r)
	if err != nil {
		return nil, err
	}
	told := tell(answer)
	if !answer.OK() || told.Status == "error" {
		return answer, a.refused(answer, told)
	}
	return answer, answer.Decode(a.op, v)
}

// odd is a good answer that isn't what was asked for.
func (a ask) odd(detail string) *providers.Error {
	return &providers.Error{Kind: providers.SchemaChanged, Op: a.op, Status: http.StatusOK, Detail: detail}
}

// refused is the table of the provider's page, §4.
func (a ask) refused(answer *providers.Answer, told refusal) *providers.Error {
	e := &providers.Error{Op: a.op, Status: answer.Status, Code: providers.Redact(told.Category)}
	if told.CorrelationID != "" {
		e.Err = errors.New("correlationId " + providers.CleanText(providers.Cut(told.CorrelationID, 64)))
	}
	switch status := answer.Status; {
	case status == http.StatusBadRequest && a.cursor:
		e.Kind = providers.CursorExpired
	case status == http.StatusUnauthorized: // with a fresh token: the client has refreshed and asked again
		e.Kind, e.Variant = providers.NeedsReauth, words.VariantRevoked
	case status == http.StatusForbidden && !answer.JSON(), status == 530: // the edge; it says nothing of token or records
		return pause(e, 15*time.Minute)
	case status == http.StatusForbidden && told.Category == "MISSING_SCOPES" && a.everWorked:
		e.Kind, e.Variant = providers.NeedsReauth, words.VariantScope
	case status == http.StatusForbidden && told.Category == "MISSING_SCOPES":
		e.Kind, e.Variant = providers.Misconfigured, words.VariantApp
	case status == http.StatusForbidden:
		e.Kind, e.Variant, e.RetryAt = providers.Blocked, words.VariantSuspended, time.Now().Add(24*time.Hour)
	case status == http.StatusPaymentRequired:
		e.Kind, e.Variant, e.RetryAt = providers.Blocked, words.VariantPayment, time.Now().Add(24*time.Hour)
	case status == http.StatusNotFound && a.record && answer.JSON():
		e.Kind = providers.NotFound
	case status == http.StatusLocked:
		return pause(e, 2*time.Second)
	case status == http.StatusTooManyRequests, status == statusMoving:
		return limited(e, answer, told)
	case status >= 500, status == http.StatusRequestTimeout, answer.OK(): // a 200 that says it failed
		e.Kind = providers.Transient
	case status < 400, status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone,
		status == http.StatusRequestURITooLong, status == http.StatusUnsupportedMediaType:
		e.Kind, e.Variant = providers.Misconfigured, words.VariantRequest
	default:
		e.Kind = providers.InvalidRequest
	}
	return e
}

func pause(e *providers.Error, wait time.Duration) *providers.Error {
	e.Kind, e.RetryAt = providers.RateLimited, time.Now().Add(wait)
	return e
}

// limited tells the limits apart by their name, else by the word in the message.
func limited(e *providers.Error, answer *providers.Answer, told refusal) *providers.Error {
	wait, asked := 10*time.Second, answer.RetryAfter()
	switch limit := strings.ToLower(told.PolicyName + " " + told.Message); {
	case e.Status == statusMoving && asked == 0:
		wait = time.Hour
	case e.Status == statusMoving:
		wait = asked
	case strings.Contains(limit, "daily"): // ends at midnight of a time zone that we don't know here
		e.Kind, e.RetryAt = providers.QuotaExhausted, time.Now().Add(time.Hour)
		return e
	case asked > 0:
		wait = min(asked, time.Minute)
	case strings.Contains(limit, "secondly") && !strings.Contains(limit, "ten_secondly"):
		wait = time.Second
	}
	return pause(e, wait)
}
