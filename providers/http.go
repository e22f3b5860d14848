package providers

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers/words"
)

// Bounds of a request that hold where nothing else is said.
const (
	RequestTimeout = 30 * time.Second // from the first byte asked to the last one read
	HeaderTimeout  = 20 * time.Second // from the request's last byte to the answer's headers
	MaxBody        = 64 << 20         // bytes of a good answer; a full page of large records stays far below
	MaxDetail      = 200              // characters of [Error.Detail]
	maxRefusal     = 1 << 20          // bytes that are read of an answer that isn't a good one
)

// NewTransport is the ground of every client toward a provider. It bounds dialing and, unless header is 0, the wait for
// the answer's headers. Token hosts get 0: a refresh that was sent is never broken off by us.
func NewTransport(header time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: header,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
	}
}

// HTTP sends an adapter's requests: each is bounded in time and size and never redirected, since the client would send
// the token along. Safe for concurrent use.
type HTTP struct {
	MaxBody int64 // bytes of a good answer; [NewHTTP] sets the package's

	client  http.Client
	timeout time.Duration
}

// NewHTTP asks through client, whose transport authenticates. A timeout of 0 is [RequestTimeout].
func NewHTTP(client *http.Client, timeout time.Duration) *HTTP {
	if timeout == 0 {
		timeout = RequestTimeout
	}
	return &HTTP{MaxBody: MaxBody, client: withoutRedirects(client), timeout: timeout}
}

func withoutRedirects(client *http.Client) http.Client {
	c := http.Client{}
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Answer is what came back, whatever its status. Body is whole for a 2xx and at most its first MiB otherwise.
type Answer struct {
	URL    *url.URL // what was asked
	Status int
	Header http.Header
	Body   []byte
}

// Request is one question of an adapter. Its body, if it has one, may be sent again after a 401: never use it for what must
// happen once.
type Request struct {
	Method string // empty: GET
	URL    string
	Header http.Header
	Body   any // sent as JSON; nil: none
}

// Get asks for url; see [HTTP.Do].
func (h *HTTP) Get(ctx context.Context, op, url string) (*Answer, error) {
	return h.Do(ctx, op, Request{URL: url})
}

// Do asks and reads the answer. The error is an [*Error] of kind [Transient]: nothing, or not all, came back. An error that the
// client's transport made itself, such as [NeedsReauth] from the token's renewal, is returned as it is.
func (h *HTTP) Do(ctx context.Context, op string, r Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	req, err := r.make(ctx, op)
	if err != nil {
		return nil, err
	}
	return send(&h.client, op, req, h.MaxBody)
}

// Download asks for url and writes a good answer's body to file, at most so many bytes; [Answer.Body] is that of a refusal
// alone. It takes as long as ctx allows. The error is an [*Error].
func (h *HTTP) Download(ctx context.Context, op, url string, file io.Writer, most int64) (*Answer, error) {
	req, err := Request{URL: url}.make(ctx, op)
	if err != nil {
		return nil, err
	}
	client := h.client
	client.Timeout = 0 // a file takes longer than any answer
	resp, answer, err := exchange(&client, op, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if !answer.OK() {
		return answer, answer.read(op, resp, maxRefusal)
	}
	n, err := io.Copy(file, io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return nil, networkError(op, fmt.Errorf("read the answer: %w", err))
	case n > most:
		return nil, answer.tooLarge(op, most)
	}
	return answer, nil
}

func (r Request) make(ctx context.Context, op string) (*http.Request, error) {
	method := cmp.Or(r.Method, http.MethodGet)
	var body io.Reader
	if r.Body != nil {
		text, err := json.Marshal(r.Body)
		if err != nil {
			return nil, &Error{Kind: Internal, Op: op, Err: err}
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL, body)
	if err != nil {
		return nil, &Error{Kind: Internal, Op: op, Err: err}
	}
	maps.Copy(req.Header, r.Header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

func send(client *http.Client, op string, req *http.Request, maxBody int64) (*Answer, error) {
	resp, answer, err := exchange(client, op, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	limit := maxBody
	if !answer.OK() {
		limit = maxRefusal
	}
	if err := answer.read(op, resp, limit); err != nil {
		return nil, err
	}
	return answer, nil
}

func exchange(client *http.Client, op string, req *http.Request) (*http.Response, *Answer, error) {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "enlace")
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, networkError(op, err)
	}
	return resp, &Answer{URL: req.URL, Status: resp.StatusCode, Header: resp.Header}, nil
}

// read takes the body of resp, whole if the answer is a good one.
func (a *Answer) read(op string, resp *http.Response, limit int64) error {
	var body bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= limit {
		body.Grow(int(n) + bytes.MinRead) // ReadFrom wants room to see the end
	}
	n, err := body.ReadFrom(io.LimitReader(resp.Body, limit+1))
	switch {
	case !a.OK(): // what was read of a refusal will do
		body.Truncate(int(min(n, limit)))
	case err != nil:
		return networkError(op, fmt.Errorf("read the answer: %w", err))
	case n > limit:
		return a.tooLarge(op, limit)
	}
	a.Body = body.Bytes()
	return nil
}

func (a *Answer) tooLarge(op string, limit int64) error {
	return &Error{Kind: SchemaChanged, Op: op, Status: a.Status, Detail: fmt.Sprintf("the answer is larger than %d bytes", limit)}
}

// networkError classifies what the client said. Its texts name hosts, never queries or headers.
func networkError(op string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		told := *e
		if told.Op == "" {
			told.Op = op
		}
		return &told
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL
	}
	return &Error{Kind: Transient, Op: op, Err: err}
}

// OK reports a status of success.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// JSON reports whether the answer calls itself JSON. Firewalls and proxies answer with pages.
func (a *Answer) JSON() bool { return strings.Contains(a.Header.Get("Content-Type"), "json") }

// Text is the text or the number at a path in an answer's JSON (see [Plain]); empty where there is none, or no JSON.
func (a *Answer) Text(path ...string) string { return Plain(a.Body, path...) }

// Date is when the provider answered, by its own clock; zero: it didn't say.
func (a *Answer) Date() time.Time {
	t, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Number is a header as a whole number; nil: it is missing or none.
func (a *Answer) Number(header string) *int64 {
	n, err := strconv.ParseInt(a.Header.Get(header), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// RetryAfter is the wait that the answer asks for, in seconds or as a date; 0: none.
func (a *Answer) RetryAfter() time.Duration {
	if seconds := a.Number("Retry-After"); seconds != nil {
		return time.Duration(min(max(*seconds, 0), 1<<30)) * time.Second
	}
	at, err := http.ParseTime(a.Header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	now := a.Date()
	if now.IsZero() {
		now = time.Now()
	}
	return max(at.Sub(now), 0)
}

// Decode reads the JSON of a good answer into v, which is tolerant of names it doesn't know and of names that come
// twice. Bytes that Postgres can't keep are gone first ([CleanJSON]). What is cut off or no JSON at all, such as a page
// of a proxy, is [Transient]; JSON of another shape is [SchemaChanged].
func (a *Answer) Decode(op string, v any) error {
	a.Body = CleanJSON(a.Body)
	err := json.Unmarshal(a.Body, v, jsontext.AllowDuplicateNames(true))
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &Error{Kind: Transient, Op: op, Status: a.Status, Err: errors.New("the answer is cut off or is not JSON")}
	}
	e := &Error{Kind: SchemaChanged, Op: op, Status: a.Status, Detail: "the answer has an unexpected form"}
	if s, ok := errors.AsType[*json.SemanticError](err); ok && s.JSONPointer != "" {
		e.Detail += " at " + string(s.JSONPointer) // not the error's text: it repeats values
	}
	return e
}

// SameSecret compares in constant time, lengths included. Nothing equals an empty secret.
func SameSecret(given, secret string) bool {
	x, y := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && secret != ""
}

// Redact is a provider's text as it may be kept and shown: secrets and personal data cut out, at most 200 characters.
// The secrets that were part of the request are named; whatever looks like one goes too.
func Redact(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) >= 4 { // shorter ones would cut words apart and hide nothing
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	text = words.Redact(CleanText(text))
	if letters := []rune(text); len(letters) > MaxDetail {
		text = string(letters[:MaxDetail-1]) + "…"
	}
	return text
}
