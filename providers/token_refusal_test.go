package providers_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

func TestTokenRefusals(t *testing.T) {
	t.Parallel()

	own := map[string]providers.ErrorKind{"dead_token": providers.NeedsReauth, "bad_secret": providers.Misconfigured}
	for sentence, tt := range map[string]struct {
		status  int
		body    string
		kind    providers.ErrorKind
		variant string
	}{
		"a dead token":                          {400, `{"error":"invalid_grant","error_description":"x"}`, providers.NeedsReauth, "revoked"},
		"the same with a good status":           {200, `{"error":"invalid_grant"}`, providers.NeedsReauth, "revoked"},
		"the same by its message":               {400, `{"message":"Invalid grant: refresh_token is invalid"}`, providers.NeedsReauth, "revoked"},
		"a word outweighs a message":            {400, `{"error":"invalid_client","message":"Invalid grant: odd"}`, providers.Misconfigured, "app"},
		"the provider's word":                   {400, `{"status":"DEAD_TOKEN"}`, providers.NeedsReauth, "revoked"},
		"the provider's word for us":            {400, `{"status":"BAD_SECRET"}`, providers.Misconfigured, "app"},
		"our id":                                {401, `{"error":"invalid_client"}`, providers.Misconfigured, "app"},
		"401 without a word":                    {401, ``, providers.Misconfigured, "app"},
		"our form":                              {400, `{"error":"unsupported_grant_type"}`, providers.Misconfigured, "app"},
		"a redirect":                            {302, ``, providers.Misconfigured, "app"},
		"an unknown word":                       {400, `{"error":"something_new"}`, providers.Transient, ""},
		"a word that is no text":                {400, `{"error":{"code":"invalid_grant"}}`, providers.Transient, ""},
		"a page":                                {400, `<html>invalid_grant</html>`, providers.Transient, ""},
		"a firewall's page":                     {403, `<html></html>`, providers.RateLimited, ""},
		"a fault of theirs":                     {400, `{"error":"temporarily_unavailable"}`, providers.Transient, ""},
		"a word of a server in pain is no word": {500, `{"error":"invalid_grant"}`, providers.Transient, ""},
		"too many, whatever else it says":       {429, `{"error":"invalid_client"}`, providers.RateLimited, ""},
		"maintenance":                           {503, `<html></html>`, providers.Transient, ""},
	} {
		e := providers.TokenRefusal(&providers.Answer{Status: tt.status, Header: http.Header{}, Body: []byte(tt.body)}, own)
		require.Equal(t, tt.kind, e.Kind, sentence)
		require.Equal(t, tt.variant, e.Variant, sentence)
		require.Equal(t, tt.status == 429 || tt.status == 503 || tt.status == 403, !e.RetryAt.IsZero(), sentence)
	}
}
