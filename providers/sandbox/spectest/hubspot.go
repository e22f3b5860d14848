package spectest

import (
	"context"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
)

// HubSpotTransport checks each HubSpot request and its answer as Transport does
// Pipedrive's, and skips the test where the documents are absent. They describe
// the errors too; pages for people are not checked, nor are calls that the
// documents leave out: consent, account-info, the removal of the app.
func HubSpotTransport(tb testing.TB, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	return provider{
		folder:    "hubspot",
		documents: []document{{file: "v3-contacts.json"}, {file: "oauth.json"}},
		marks:     []string{"/crm/", "/oauth/", "/account-info/", "/appinstalls/"},
		silent:    []string{"/oauth/authorize", "/account-info/", "/appinstalls/"},
		check: func(ctx context.Context, input *openapi3filter.RequestValidationInput, response *http.Response, body []byte) error {
			if isPage(response) {
				return nil
			}
			return described(ctx, input, response, body)
		},
	}.transport(tb, base)
}
