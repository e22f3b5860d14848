package providers

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// shortAnswer bounds the good answers that are searched for a failure, in bytes: those are short, and a page of records
// isn't.
const shortAnswer = 4 << 10

// API is how a provider's API is asked: what all calls of an adapter have in common. It is made once, and safe for
// concurrent use.
type API struct {
	Provider string        // begins the name of every operation: "pipedrive"
	BaseURL  string        // of an account that has no [Account.APIDomain], without a slash at its end
	Timeout  time.Duration // of each request; 0 is [RequestTimeout]

	// Trusts reports whether a token may be sent to an API domain; nil: all accounts share one host. A redirect to such a
	// domain, or a 404 at the old one, may mean that the account has moved: [Error.RefreshFirst].
	Trusts func(domain string) bool

	// Told reads what an answer says of a failure. It is asked of each answer that isn't a good one, and of good ones of
	// at most 4 KiB. It survives any body.
	Told func(answer *Answer) Told

	// Refine corrects what [API] makes of a failure by the status alone, where the provider's own codes say more (see
	// [Error.Become]); nil: they don't.
	Refine func(e *Error, answer *Answer, ask Ask)

	Usage  UsageHeaders // what headers tell of limits
	Layout Layout       // of good answers

	// Survivors says that whoever asks for a record that ended in a merge is answered with the one that took it over.
	Survivors bool
}

// Told is what an answer says of its failure. Texts are the provider's own; they are redacted here.
type Told struct {
	Failed    bool // whatever the status is
	Code      string
	Detail    string // empty where it may quote personal data
	Reference string // by which the provider's support finds the call: kept in [Error.Err], for the log
}

// Ask is one question to an API, and what the meaning of its answer depends on.
type Ask struct {
	Op     string // "list contacts"
	Method string // empty: GET
	Path   string // below the base URL, escaped; it has no query of its own
	Query  url.Values
	Header http.Header
	Body   any // sent as JSON; may be sent again after a 401

	Cursor  Cursor // the provider's own, sent as [Layout.Cursor]: 400 means that it has expired
	Record  bool   // it is about one record: 404 means that there is none
	Nothing bool   // 204 is a good answer, and 304 to If-Modified-Since: there is nothing, and no body
	Usage   Usage  // what is known beforehand: the call's price, or a limit of its own that no header tells
}

// Caller asks the API of one account.
type Caller struct {
	api        *API
	base       string
	http       *HTTP
	everWorked bool
}

// For asks through client, whose transport authenticates.
func (api *API) For(account Account, client *http.Client) *Caller {
	return &Caller{
		api: api, base: cmp.Or(account.APIDomain, api.BaseURL), http: NewHTTP(client, api.Timeout), everWorked: account.EverWorked,
	}
}

// Ask asks, and reads the JSON of a good answer into v. The error is an [*Error], classified by the status and by
// [API.Refine], or the payer's own ([WithPayer]); what the answer tells beside its records comes with it.
func (c *Caller) Ask(ctx context.Context, ask Ask, v any) (Observation, error) {
	r := Request{Method: ask.Method, URL: c.base + ask.Path, Header: ask.Header, Body: ask.Body}
	query := url.Values{}
	maps.Copy(query, ask.Query)
	if ask.Cursor != "" && c.api.Layout.Cursor != "" {
		query.Set(c.api.Layout.Cursor, string(ask.Cursor))
	}
	if len(query) > 0 {
		r.URL += "?" + query.Encode()
	}
	if err := pay(ctx, ask.Usage.Spent); err != nil {
		return Observation{}, err
	}
	answer, err := c.http.Do(ctx, c.op(ask), r)
	if err != nil {
		return Observation{}, err
	}
	seen := Observation{Date: answer.Date(), Usage: c.api.Usage.read(answer, ask.Usage)}
	unchanged := answer.Status == http.StatusNotModified && ask.Header.Get("If-Modified-Since") != "" // else it is no answer
	if ask.Nothing && (answer.Status == http.StatusNoContent || unchanged) {
		return seen, nil
	}
	if e := c.judge(answer, ask); e != nil {
		return seen, e
	}
	return seen, answer.Decode(c.op(ask), v)
}

// Unexpected is the error of a good answer that isn't what was asked for.
func (c *Caller) Unexpected(ask Ask, detail string) *Error {
	return &Error{Kind: SchemaChanged, Op: c.op(ask), Status: http.StatusOK, Detail: detail}
}

func (c *Caller) op(ask Ask) string { return c.api.Provider + ": " + ask.Op }

// judge is the error that an answer is; nil: it is a good one.
func (c *Caller) judge(answer *Answer, ask Ask) *Error {
	var told Told
	if c.api.Told != nil && (!answer.OK() || len(answer.Body) <= shortAnswer) {
		told = c.api.Told(answer)
	}
	if answer.OK() && !told.Failed {
		return nil
	}
	e := &Error{Op: c.op(ask), Status: answer.Status, Code: Redact(told.Code), Detail: Redact(told.Detail)}
	if told.Reference != "" {
		e.Err = errors.New("reference " + CleanText(Cut(told.Reference, 64)))
	}
	c.classify(e, answer, ask)
	if c.api.Refine != nil {
		c.api.Refine(e, answer, ask)
	}
	return e
}
