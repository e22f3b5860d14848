package spectest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Transport checks each Pipedrive request and its answer, and fails the test where one
// differs from the documents. It reads them from the folder shared/specs beside
// the repository, and skips the test where they are absent. The base is
// http.DefaultTransport if it is nil.
func Transport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	return provider{
		folder: "pipedrive",
		documents: []document{
			{file: "v2-persons.json", below: "/api/v2", prefix: "/api/v2"},
			{file: "v1-oauth-users-webhooks.json", below: "/api/v1", prefix: "/api/v1"},
			{file: "v1-oauth-users-webhooks.json", below: "/oauth/"},
		},
		correct: correctPipedrive, marks: []string{"/api/v", "/oauth/"}, silent: []string{"/oauth/revoke"}, check: checkPipedrive,
	}.transport(tb, base)
}

// correctPipedrive serves a document's operations below any host, and makes the
// answers' fields nullable, except ids and success: the documents mark almost
// nothing so although the live API sends nulls.
func correctPipedrive(doc *openapi3.T) {
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
		for _, operation := range item.Operations() {
			operation.Servers = nil
			for _, response := range operation.Responses.Map() {
				for _, media := range response.Value.Content {
					if media.Schema != nil {
						nullable(media.Schema.Value)
					}
				}
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

// checkPipedrive validates an answer whose status the document describes. The
// others are errors, of which the documents only say that they are JSON with
// success false.
func checkPipedrive(ctx context.Context, input *openapi3filter.RequestValidationInput, response *http.Response, body []byte) error {
	known := input.Route.Operation.Responses.Status(response.StatusCode) != nil
	switch {
	case known && isPage(response):
		return nil
	case known:
		return described(ctx, input, response, body)
	case response.StatusCode < http.StatusBadRequest:
		return fmt.Errorf("status %d is not in the document", response.StatusCode)
	case !bytes.Contains(body, []byte(`"success":false`)):
		return fmt.Errorf("status %d without success false", response.StatusCode)
	}
	return nil
}
