package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

const (
	codeNotFound   = words.NotFound
	codeValidation = words.ValidationFailed
)

// retryDatabase is when a client that found the database away may ask again.
const retryDatabase = 5 * time.Second

// fault is a refusal before it is put into words: what handlers return for what they know how to say.
type fault struct {
	code    words.Code
	variant string
	args    words.Args
	phrase  string // key of our own phrase for args.What
	name    string // of the phrase
	limit   string
	count   *int64
	status  int       // 0: the code's own
	retryAt time.Time // zero: no Retry-After
	fields  []badField
	hint    string      // for the developer of a client, in English
	header  http.Header // further headers
	err     error       // the cause, for the log
}

// badField is one member of a request that isn't acceptable.
type badField struct {
	field  string
	phrase string
	name   string
	limit  string
}

func (f *fault) Error() string {
	if f.err != nil {
		return string(f.code) + ": " + f.err.Error()
	}
	return string(f.code)
}

func (f *fault) Unwrap() error { return f.err }

// invalid is the refusal of one field.
func invalid(field, phrase, name string) *fault {
	return &fault{code: codeValidation, fields: []badField{{field: field, phrase: phrase, name: name}}}
}

// problem is an error answer: RFC 9457, with a stable code beside it, and error, which dashboards written for Supabase
// read.
type problem struct {
	Type     string         `json:"type" format:"uri-reference" doc:"The code's place in the documentation."`
	Title    string         `json:"title" doc:"What happened, in the caller's language."`
	Status   int            `json:"status" doc:"The HTTP status."`
	Detail   string         `json:"detail" doc:"What it means and what to do, in the caller's language."`
	Instance string         `json:"instance" doc:"The request's id, as in X-Request-Id and in our log."`
	Code     words.Code     `json:"code" doc:"The stable part: branch on it."`
	Variant  string         `json:"variant,omitempty" doc:"A more exact case of the same code."`
	Message  string         `json:"error" doc:"The same as detail."`
	Hint     string         `json:"hint,omitempty" doc:"For whoever writes the client."`
	Errors   []problemField `json:"errors,omitempty" doc:"Each member of the request that isn't acceptable."`

	function bool // answered to supabase-js, which reads only application/json
	header   http.Header
}

// problemField is one member of a request that isn't acceptable.
type problemField struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Error is that of [error].
func (p *problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus is that of [huma.StatusError].
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders is that of [huma.HeadersError].
func (p *problem) GetHeaders() http.Header { return p.header }

// ContentType is that of [huma.ContentTypeFilter].
func (p *problem) ContentType(string) string {
	if p.function {
		return "application/json"
	}
	return "application/problem+json"
}

// fail answers with a problem.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problem(r.Context(), err)
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p); err != nil {
		s.log.Debug().Err(err).Msg("the caller left before its answer")
	}
}

// problem puts an error into words, and into the log if it is ours to mend. A problem stays as it is.
func (s *Server) problem(ctx context.Context, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	f := faultOf(err)
	c := callOf(ctx)
	if s.ours(f) && !errors.Is(ctx.Err(), context.Canceled) { // but for a caller that has left
		s.log.Error().Err(err).Str("request_id", c.id).Str("code", string(f.code)).Msg("request failed")
	}
	return s.render(c, f)
}

// ours reports whether an operator has something to look at.
func (s *Server) ours(f *fault) bool {
	return f.code == words.Internal || f.code == words.Misconfigured || f.code == words.SchemaChanged
}

// render writes a fault in the caller's language.
func (s *Server) render(c *call, f *fault) *problem {
	now := s.opts.Now()
	args := f.args
	args.Now = now
	if args.At.IsZero() {
		args.At = f.retryAt
	}
	p := &problem{
		Status: f.status, Instance: "urn:enlace:request:" + c.id, Code: f.code, Variant: f.variant,
		Type: s.publicURL.String() + "/docs#" + string(f.code), function: c.function, Hint: f.hint, header: make(http.Header),
	}
	for _, b := range f.fields {
		p.Errors = append(p.Errors, problemField{b.field, words.Phrase(c.lang, b.phrase, words.Args{Name: b.name, Limit: b.limit, Now: now})})
	}
	switch {
	case len(p.Errors) > 0:
		args.Field, args.What = p.Errors[0].Field, p.Errors[0].Detail
	case f.phrase != "":
		args.What = words.Phrase(c.lang, f.phrase, words.Args{Name: f.name, Limit: f.limit, Count: f.count, Now: now})
	}
	text := words.Render(c.lang, f.code, f.variant, args)
	p.Title, p.Detail, p.Message = text.Title, text.Sentence, text.Sentence
	if p.Status == 0 {
		p.Status = words.HTTPStatus(f.code, f.variant)
	}
	maps.Copy(p.header, f.header)
	p.header.Set("Content-Language", string(c.lang))
	if !f.retryAt.IsZero() {
		seconds := max(1, int(math.Ceil(f.retryAt.Sub(now).Seconds())))
		p.header.Set("Retry-After", strconv.Itoa(seconds))
	}
	return p
}

// faultOf says what an error of the layers below is to a caller.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if inactive, ok := errors.AsType[*jobs.InactiveError](err); ok {
		return inactiveFault(inactive.Status, err)
	}
	if conflict, ok := errors.AsType[*jobs.ConflictError](err); ok {
		return &fault{code: words.Conflict, variant: words.VariantState, phrase: conflict.Phrase, name: conflict.Name, err: err}
	}
	if refused, ok := errors.AsType[*providers.Error](err); ok {
		return providerFault(refused)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &fault{code: codeNotFound, err: err}
	case errors.Is(err, vault.ErrInactive):
		return &fault{code: words.IntegrationInactive, err: err}
	case errors.Is(err, store.ErrKeyLost):
		return &fault{code: words.Conflict, variant: words.VariantKeyRunning, retryAt: time.Now().Add(time.Second), err: err}
	}
	if unstorable(err) {
		return &fault{code: codeValidation, fields: []badField{{field: "body", phrase: words.PhraseFormat, name: "UTF-8"}}, err: err}
	}
	if databaseAway(err) {
		return &fault{code: words.Internal, variant: words.VariantDatabase, retryAt: time.Now().Add(retryDatabase), err: err}
	}
	return &fault{code: words.Internal, err: err}
}

// inactiveFault says why an integration does no work.
func inactiveFault(status string, err error) *fault {
	f := &fault{code: words.IntegrationInactive, err: err}
	switch status {
	case store.NeedsReauth:
		f.code = words.NeedsReauth
	case store.Disconnected:
		f.variant = words.VariantDisconnected
	}
	return f
}

// providerFault says what a provider's refusal is to a caller who waits for it.
func providerFault(e *providers.Error) *fault {
	code, _ := words.FromKind(string(e.Kind))
	f := &fault{code: code, variant: e.Variant, retryAt: e.RetryAt, err: e}
	f.args.Detail = e.Detail
	if !words.Known(code, f.variant) {
		f.variant = ""
	}
	if words.HTTPStatus(code, f.variant) < http.StatusTooManyRequests {
		f.retryAt = time.Time{}
	}
	return f
}

// unstorable reports whether Postgres refused text that it can't hold: a NUL, or what isn't UTF-8. Any other fault of data,
// such as a number out of range, is of our own making.
func unstorable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "22021" || e.Code == "22P05")
}

// databaseAway reports whether the database can't be reached, is going down, has no place left, may only be read or hasn't
// answered in time.
func databaseAway(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "57P") || e.Code == "25006"
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, away := range []error{net.ErrClosed, io.EOF, io.ErrUnexpectedEOF, puddle.ErrClosedPool} {
		if errors.Is(err, away) {
			return true
		}
	}
	return pgconn.SafeToRetry(err) || pgconn.Timeout(err)
}

// faultOfRefusal puts into words what Huma found wrong with a request.
func faultOfRefusal(refusal *huma.ErrorModel) *fault {
	f := &fault{code: codeValidation, status: refusal.Status, err: errors.New(refusal.Detail)}
	if refusal.Status >= http.StatusInternalServerError {
		return &fault{code: words.Internal, err: f.err}
	}
	for _, detail := range refusal.Errors {
		bad := fieldOf(detail)
		f.fields = append(f.fields, bad)
		if strings.HasPrefix(detail.Location, "query.") {
			f.status = http.StatusBadRequest
		}
	}
	if len(f.fields) == 0 {
		f.fields = []badField{{field: "body", phrase: words.PhraseRequired}}
	}
	return f
}

// fieldOf names the member that Huma found wrong, and says how.
func fieldOf(d *huma.ErrorDetail) badField {
	_, field, _ := strings.Cut(d.Location, ".") // "body.sync_type"
	if field == "" {
		field = d.Location
	}
	msg := d.Message
	matches := func(format string) bool {
		before, _, _ := strings.Cut(format, "%")
		return strings.HasPrefix(msg, before)
	}
	quoted := func() string {
		_, rest, _ := strings.Cut(msg, `"`)
		inside, _, _ := strings.Cut(rest, `"`)
		return inside
	}
	switch {
	case matches(validation.MsgUnexpectedProperty):
		return badField{field: field, phrase: words.PhraseUnknown, name: field}
	case matches(validation.MsgExpectedRequiredProperty):
		name := strings.TrimSuffix(strings.TrimPrefix(msg, "expected required property "), " to be present")
		if d.Location != "body" && field != "" {
			name = field + "." + name
		}
		return badField{field: name, phrase: words.PhraseRequired}
	case strings.HasPrefix(msg, "required "): // parameters
		return badField{field: field, phrase: words.PhraseRequired}
	case matches(validation.MsgExpectedOneOf):
		return badField{field: field, phrase: words.PhraseOneOf, name: quoted()}
	case matches(validation.MsgExpectedMaxLength):
		return badField{field: field, phrase: words.PhraseTooLong, limit: strings.TrimPrefix(msg, "expected length <= ")}
	case matches(validation.MsgExpectedMinLength), strings.Contains(msg, "body is required"):
		return badField{field: field, phrase: words.PhraseRequired}
	}
	return badField{field: field, phrase: words.PhraseFormat, name: example(msg)}
}

// example shows what a value must look like, in a form that needs no language.
func example(msg string) string {
	for _, e := range []struct{ format, example string }{
		{validation.MsgExpectedBoolean, "true"},
		{validation.MsgExpectedInteger, "100"},
		{validation.MsgExpectedNumber, "100"},
		{validation.MsgExpectedString, `"…"`},
		{validation.MsgExpectedArray, "[…]"},
		{validation.MsgExpectedObject, "{…}"},
		{validation.MsgExpectedRFC4122UUID, "00000000-0000-4000-8000-000000000001"},
		{validation.MsgExpectedRFC3339DateTime, "2026-11-26T09:00:00Z"},
		{"invalid boolean", "true"},
		{"invalid integer", "100"},
		{"invalid date", "2026-11-26T09:00:00Z"},
	} {
		before, _, _ := strings.Cut(e.format, "%")
		if strings.HasPrefix(msg, before) {
			return e.example
		}
	}
	for format, sign := range map[string]string{validation.MsgExpectedMinimumNumber: "≥", validation.MsgExpectedMaximumNumber: "≤"} {
		before, _, _ := strings.Cut(format, "%")
		if bound, ok := strings.CutPrefix(msg, before); ok {
			return fmt.Sprintf("%s %s", sign, bound)
		}
	}
	return "…"
}
