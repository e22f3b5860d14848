// Package spectest checks traffic with a provider against the provider's
// published OpenAPI documents: what our adapters ask, and what the sandbox
// answers. It is for tests only, and leaves to them what the traffic means.
package spectest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// faultHeader marks answers of the sandbox that are wrong on purpose; they are
// not checked.
const faultHeader = "X-Sandbox-Fault"

// provider is what a provider has published, and what checking its traffic needs
// to know beside it.
type provider struct {
	folder    string     // of its documents, below shared/specs
	documents []document // looked through in this order
	correct   func(*openapi3.T)
	marks     []string // one of them begins the provider's own path, below any prefix of the sandbox
	silent    []string // beginnings of paths that the documents leave out
	unread    func(*http.Response) bool
	check     func(ctx context.Context, input *openapi3filter.RequestValidationInput, response *http.Response, body []byte) error
}

// document is one file of a provider's.
type document struct {
	file   string
	below  string // the provider's paths that it describes begin with this
	prefix string // what its own paths lack of it
}

// spec is a document that was read.
type spec struct {
	document

	router routers.Router
}

// transport checks each request and its answer, and fails the test where one
// differs from the documents. It skips the test where these are absent. The base
// is http.DefaultTransport if it is nil.
func (p provider) transport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{provider: p, tb: tb, base: base, specs: p.load(tb)}
}

type transport struct {
	provider

	tb    testing.TB
	base  http.RoundTripper
	specs []spec
}

// load reads the documents from the folder shared/specs beside the repository.
func (p provider) load(tb testing.TB) []spec {
	tb.Helper()
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(here), "../../../../shared/specs", p.folder)
	specs := make([]spec, 0, len(p.documents))
	for _, d := range p.documents {
		text, err := os.ReadFile(filepath.Clean(filepath.Join(folder, d.file)))
		if err != nil {
			tb.Skipf("the provider's published documents are not here: %v", err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			tb.Fatalf("load %s: %v", d.file, err)
		}
		doc.Servers = nil
		if p.correct != nil {
			p.correct(doc)
		}
		r, err := gorillamux.NewRouter(doc)
		if err != nil {
			tb.Fatalf("route %s: %v", d.file, err)
		}
		specs = append(specs, spec{d, r})
	}
	return specs
}

// RoundTrip implements http.RoundTripper.
func (c *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.tb.Helper()
	body, err := drain(&r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	input := c.route(r, body)
	if input != nil {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			c.tb.Errorf("%s %s is not what the provider's document asks for: %v", r.Method, r.URL.Path, err)
		}
		c.refuseUnknown(r, input.Route.Operation)
	}
	response, err := c.base.RoundTrip(r)
	if err != nil || input == nil || response.Header.Get(faultHeader) != "" || c.unread != nil && c.unread(response) {
		return response, err //nolint:wrapcheck // a transport adds nothing
	}
	answer, err := drain(&response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if err := c.check(r.Context(), input, response, answer); err != nil {
		c.tb.Errorf("the answer to %s %s is not the provider's: %v", r.Method, r.URL.Path, err)
	}
	return response, nil
}

// drain reads a body and puts it back.
func drain(body *io.ReadCloser) ([]byte, error) {
	if *body == nil || *body == http.NoBody {
		return nil, nil
	}
	text, err := io.ReadAll(*body)
	_ = (*body).Close()
	*body = io.NopCloser(bytes.NewReader(text))
	return text, err //nolint:wrapcheck // the caller says what was read
}

// route finds the operation of r, or fails the test; nil for calls that the
// documents leave out.
func (c *transport) route(r *http.Request, body []byte) *openapi3filter.RequestValidationInput {
	c.tb.Helper()
	path := r.URL.Path[max(0, strings.Index(r.URL.Path, first(r.URL.Path, c.marks...))):]
	for _, beginning := range c.silent {
		if strings.HasPrefix(path, beginning) {
			return nil
		}
	}
	for _, s := range c.specs {
		if !strings.HasPrefix(path, s.below) {
			continue
		}
		relative := r.Clone(r.Context())
		relative.URL = &url.URL{Path: strings.TrimPrefix(path, s.prefix), RawQuery: r.URL.RawQuery}
		relative.Body = io.NopCloser(bytes.NewReader(body))
		found, params, err := s.router.FindRoute(relative)
		if err != nil {
			continue
		}
		return &openapi3filter.RequestValidationInput{
			Request: relative, PathParams: params, Route: found,
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
		}
	}
	c.tb.Errorf("%s %s is in none of the provider's documents", r.Method, path)
	return nil
}

// first is whichever of the marks the path holds.
func first(path string, marks ...string) string {
	for _, mark := range marks {
		if strings.Contains(path, mark) {
			return mark
		}
	}
	return path
}

// refuseUnknown fails the test for a query parameter that the operation lacks,
// which the validator lets pass and some providers refuse.
func (c *transport) refuseUnknown(r *http.Request, operation *openapi3.Operation) {
	c.tb.Helper()
	for name := range r.URL.Query() {
		if operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			c.tb.Errorf("%s %s: the provider knows no parameter %q", r.Method, r.URL.Path, name)
		}
	}
}

// described holds an answer to what the document says of its status.
func described(ctx context.Context, input *openapi3filter.RequestValidationInput, response *http.Response, body []byte) error {
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	answer.SetBodyBytes(body)
	return openapi3filter.ValidateResponse(ctx, answer) //nolint:wrapcheck // the caller says which answer
}

// isPage reports whether an answer is a page for people.
func isPage(response *http.Response) bool {
	return strings.HasPrefix(response.Header.Get("Content-Type"), "text/html")
}
