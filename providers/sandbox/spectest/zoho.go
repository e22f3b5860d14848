package spectest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// zohoDocuments are looked through in this order: the one whose first part of the
// path is any module comes last.
var zohoDocuments = []string{"coql.json", "bulk_read.json", "notifications.json", "org.json", "users.json", "record.json"}

// ZohoTransport checks each request to Zoho CRM's API and its answer as Transport
// does Pipedrive's, and skips the test where the documents are absent. Where those
// are known to be wrong they are put right first. Of errors only the envelope is
// checked, and neither the accounts hosts nor the metadata of fields is
// described.
func ZohoTransport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	if base == nil {
		base = http.DefaultTransport
	}
	_, here, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(here), "../../../../shared/specs/zoho")
	t := &zohoTransport{tb: tb, base: base}
	for _, file := range zohoDocuments {
		text, err := os.ReadFile(filepath.Clean(filepath.Join(folder, file)))
		if err != nil {
			tb.Skipf("the provider's documents are not here: %v", err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			tb.Fatalf("load %s: %v", file, err)
		}
		correctZoho(doc)
		r, err := gorillamux.NewRouter(doc)
		if err != nil {
			tb.Fatalf("route %s: %v", file, err)
		}
		t.routers = append(t.routers, r)
	}
	return t
}

// zohoOptional are members that the documents demand although requests and live
// answers leave them out, by schema.
var zohoOptional = map[string][]string{
	"Query":                   {"cvid", "page", "criteria", "file_type"},
	"modules.Minified_Module": {"id"},
	"Job_Detail":              {"result"}, // comes with the end of the job
	"event":                   {"notification_condition"},
	"tags.Tag":                {"created_time", "modified_time", "modified_by", "created_by"},
	"users.Minified_User":     {"name"}, // COQL gives the id alone
}

// correctZoho puts right what is known to be wrong in the documents: errors among
// the answers with status 200, members that are not always there, nulls, and
// patterns made of an example.
func correctZoho(doc *openapi3.T) {
	doc.Servers = nil
	for name, schema := range doc.Components.Schemas {
		optional := zohoOptional[name]
		schema.Value.Required = slices.DeleteFunc(schema.Value.Required, func(member string) bool { return slices.Contains(optional, member) })
		for member, property := range schema.Value.Properties {
			if property.Ref == "" {
				property.Value.Pattern = ""
			}
			switch member {
			case "channel_id": // an object, they say
				property.Value.Type = &openapi3.Types{openapi3.TypeString, openapi3.TypeInteger}
			case "id", "data", "info", "code", "status":
			default:
				property.Value.Nullable = true
			}
		}
	}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				if media := response.Value.Content["application/json"]; media != nil && media.Schema != nil && strings.HasPrefix(status, "2") && len(media.Schema.Value.OneOf) > 0 {
					media.Schema = media.Schema.Value.OneOf[0]
				}
			}
		}
	}
}

type zohoTransport struct {
	tb      testing.TB
	base    http.RoundTripper
	routers []routers.Router
}

// RoundTrip implements http.RoundTripper.
func (c *zohoTransport) RoundTrip(r *http.Request) (*http.Response, error) {
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
	if err != nil || input == nil || response.Header.Get(faultHeader) != "" || response.Header.Get("Content-Type") == "application/x-download" {
		return response, err //nolint:wrapcheck // a transport adds nothing
	}
	answer, err := drain(&response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if err := checkZoho(r.Context(), input, response, answer); err != nil {
		c.tb.Errorf("the answer to %s %s is not the provider's: %v", r.Method, r.URL.Path, err)
	}
	return response, nil
}

// route finds the operation of r, or fails the test; nil for calls that the
// documents leave out.
func (c *zohoTransport) route(r *http.Request, body []byte) *openapi3filter.RequestValidationInput {
	c.tb.Helper()
	path := r.URL.Path[max(0, strings.Index(r.URL.Path, first(r.URL.Path, "/crm/", "/oauth/"))):]
	if strings.HasPrefix(path, "/oauth/") || strings.HasPrefix(path, "/crm/v8/settings/") {
		return nil
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

// checkZoho validates an answer.
func checkZoho(ctx context.Context, input *openapi3filter.RequestValidationInput, response *http.Response, body []byte) error {
	switch status := response.StatusCode; {
	case status == http.StatusNoContent || status == http.StatusNotModified:
		if len(body) > 0 {
			return fmt.Errorf("status %d with a body", status)
		}
		return nil
	case status >= http.StatusBadRequest || status == http.StatusAccepted || status == http.StatusMultiStatus:
		return checkZohoError(body)
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	answer.SetBodyBytes(body)
	return openapi3filter.ValidateResponse(ctx, answer) //nolint:wrapcheck // the caller says which answer
}

// checkZohoError looks for the members of an error where any of them come.
func checkZohoError(body []byte) error {
	type envelope struct {
		Code    string          `json:"code"`
		Details json.RawMessage `json:"details"`
		Message *string         `json:"message"`
		Status  string          `json:"status"`
	}
	var got struct {
		envelope
		Data  []envelope `json:"data"`
		Watch []envelope `json:"watch"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return fmt.Errorf("an error that is no JSON: %w", err)
	}
	for _, e := range append(append(got.Data, got.Watch...), got.envelope) {
		if e.Code != "" && e.Status == "error" && e.Message != nil && bytes.HasPrefix(e.Details, []byte("{")) {
			return nil
		}
	}
	return errors.New("an error without its code, details, message or status")
}
