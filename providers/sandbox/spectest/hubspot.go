package spectest

import (
	"bytes"
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

// HubSpotTransport checks each HubSpot request and its answer as Transport does
// Pipedrive's, and skips the test where the documents are absent. They describe
// the errors too; pages for people are not checked, nor are calls that the
// documents leave out: consent, account-info, the removal of the app.
func HubSpotTransport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	if base == nil {
		base = http.DefaultTransport
	}
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(here), "../../../../shared/specs/hubspot")
	t := &hubspotTransport{tb: tb, base: base}
	for _, file := range []string{"v3-contacts.json", "oauth.json"} {
		text, err := os.ReadFile(filepath.Clean(filepath.Join(folder, file)))
		if err != nil {
			tb.Skipf("the provider's documents are not here: %v", err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			tb.Fatalf("load %s: %v", file, err)
		}
		doc.Servers = nil
		r, err := gorillamux.NewRouter(doc)
		if err != nil {
			tb.Fatalf("route %s: %v", file, err)
		}
		t.routers = append(t.routers, r)
	}
	return t
}

type hubspotTransport struct {
	tb      testing.TB
	base    http.RoundTripper
	routers []routers.Router
}

// undescribed are beginnings of paths that the documents leave out.
var undescribed = []string{"/oauth/authorize", "/account-info/", "/appinstalls/"}

// RoundTrip implements http.RoundTripper.
func (c *hubspotTransport) RoundTrip(r *http.Request) (*http.Response, error) {
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
		for name := range r.URL.Query() {
			if input.Route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
				c.tb.Errorf("%s %s: the provider knows no parameter %q", r.Method, r.URL.Path, name)
			}
		}
	}
	response, err := c.base.RoundTrip(r)
	if err != nil || input == nil || response.Header.Get(faultHeader) != "" {
		return response, err //nolint:wrapcheck // a transport adds nothing
	}
	text, err := drain(&response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		return response, nil
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	answer.SetBodyBytes(text)
	if err := openapi3filter.ValidateResponse(r.Context(), answer); err != nil {
		c.tb.Errorf("the answer to %s %s is not the provider's: %v", r.Method, r.URL.Path, err)
	}
	return response, nil
}

// route finds the operation of r, or fails the test; nil for calls that the
// documents leave out.
func (c *hubspotTransport) route(r *http.Request, body []byte) *openapi3filter.RequestValidationInput {
	c.tb.Helper()
	path := r.URL.Path[max(0, strings.Index(r.URL.Path, first(r.URL.Path, "/crm/", "/oauth/", "/account-info/", "/appinstalls/"))):]
	for _, beginning := range undescribed {
		if strings.HasPrefix(path, beginning) {
			return nil
		}
	}
	relative := r.Clone(r.Context())
	relative.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	relative.Body = io.NopCloser(bytes.NewReader(body))
	for _, router := range c.routers {
		found, params, err := router.FindRoute(relative)
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
