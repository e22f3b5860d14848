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

// Transport checks each Pipedrive request and its answer, and fails the test where one
// differs from the documents. It reads them from the folder shared/specs beside
// the repository, and skips the test where they are absent. The base is
// http.DefaultTransport if it is nil.
func Transport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{tb: tb, base: base, specs: load(tb)}
}

// spec is one document and where its paths begin.
type spec struct {
	prefix string // in the provider's path, before the document's own paths
	router routers.Router
}

type transport struct {
	tb    testing.TB
	base  http.RoundTripper
	specs []spec
}

func load(tb testing.TB) []spec {
	tb.Helper()
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(here), "../../../../shared/specs/pipedrive")
	var specs []spec
	for _, s := range []struct{ prefix, file string }{
		{"/api/v2", "v2-persons.json"},
		{"/api/v1", "v1-oauth-users-webhooks.json"},
		{"", "v1-oauth-users-webhooks.json"},
	} {
		text, err := os.ReadFile(filepath.Clean(filepath.Join(folder, s.file)))
		if err != nil {
			tb.Skipf("the provider's published documents are not here: %v", err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			tb.Fatalf("load %s: %v", s.file, err)
		}
		specs = append(specs, spec{s.prefix, router(tb, doc)})
	}
	return specs
}

// router finds a document's operations below any host.
func router(tb testing.TB, doc *openapi3.T) routers.Router {
	tb.Helper()
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
		for _, operation := range item.Operations() {
			operation.Servers = nil
			allowNulls(operation)
		}
	}
	r, err := gorillamux.NewRouter(doc)
	if err != nil {
		tb.Fatalf("route the provider's document: %v", err)
	}
	return r
}

// allowNulls makes the answers' fields nullable, except ids and success: the
// documents mark almost nothing so although the live API sends nulls.
func allowNulls(operation *openapi3.Operation) {
	for _, response := range operation.Responses.Map() {
		for _, media := range response.Value.Content {
			if media.Schema != nil {
				nullable(media.Schema.Value)
			}
		}
	}
}

func nullable(s *openapi3.Schema) {
	for _, part := range s.AllOf {
		nullable(part.Value)
	}
	if s.Items != nil {
		nullable(s.Items.Value)
	}
	for name, property := range s.Properties {
		nullable(property.Value)
		if name != "id" && name != "success" && name != "data" {
			property.Value.Nullable = true
		}
	}
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
	if err != nil || input == nil || response.Header.Get(faultHeader) != "" {
		return response, err //nolint:wrapcheck // a transport adds nothing
	}
	answer, err := drain(&response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if err := check(r.Context(), input, response, answer); err != nil {
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
	path := r.URL.Path[max(0, strings.Index(r.URL.Path, first(r.URL.Path, "/api/v", "/oauth/"))):]
	if path == "/oauth/revoke" {
		return nil
	}
	for _, s := range c.specs {
		rest, ok := strings.CutPrefix(path, s.prefix)
		if !ok || s.prefix == "" && !strings.HasPrefix(path, "/oauth/") {
			continue
		}
		relative := r.Clone(r.Context())
		relative.URL = &url.URL{Path: rest, RawQuery: r.URL.RawQuery}
		relative.Body = io.NopCloser(bytes.NewReader(body))
		found, params, err := s.router.FindRoute(relative)
		if err != nil {
			break
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
// which the validator lets pass and API v2 refuses.
func (c *transport) refuseUnknown(r *http.Request, operation *openapi3.Operation) {
	c.tb.Helper()
	for name := range r.URL.Query() {
		if operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			c.tb.Errorf("%s %s: the provider knows no parameter %q", r.Method, r.URL.Path, name)
		}
	}
}

// check validates an answer whose status the document describes. The others are
// errors, of which the documents only say that they are JSON with success false.
func check(ctx context.Context, input *openapi3filter.RequestValidationInput, response *http.Response, body []byte) error {
	if input.Route.Operation.Responses.Status(response.StatusCode) == nil {
		if response.StatusCode < http.StatusBadRequest {
			return fmt.Errorf("status %d is not in the document", response.StatusCode)
		}
		if !bytes.Contains(body, []byte(`"success":false`)) {
			return fmt.Errorf("status %d without success false", response.StatusCode)
		}
		return nil
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		return nil // a page for people
	}
	answer.SetBodyBytes(body)
	return openapi3filter.ValidateResponse(ctx, answer) //nolint:wrapcheck // the caller says which answer
}
