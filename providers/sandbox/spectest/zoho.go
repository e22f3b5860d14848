package spectest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// ZohoTransport checks each request to Zoho CRM's API and its answer as Transport
// does Pipedrive's, and skips the test where the documents are absent. Where those
// are known to be wrong they are put right first. Of errors only the envelope is
// checked, and neither the accounts hosts nor the metadata of fields is
// described.
func ZohoTransport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	p := provider{
		folder: "zoho", correct: correctZoho, marks: []string{"/crm/", "/oauth/"}, silent: []string{"/oauth/", "/crm/v8/settings/"}, check: checkZoho,
		unread: func(response *http.Response) bool {
			return response.Header.Get("Content-Type") == "application/x-download"
		},
	}
	// the one whose first part of the path is any module comes last
	for _, file := range []string{"coql.json", "bulk_read.json", "notifications.json", "org.json", "users.json", "record.json"} {
		p.documents = append(p.documents, document{file: file})
	}
	return p.transport(tb, base)
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
	return described(ctx, input, response, body)
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
