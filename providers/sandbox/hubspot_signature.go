package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// decodedInQuery are the escapes that HubSpot decodes in a query before it signs;
// no others.
var decodedInQuery = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$",
	"%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
)

// SignHubSpot is the value of X-HubSpot-Signature-v3 for a webhook's POST: uri is
// the whole address as registered, timestamp the text of
// X-HubSpot-Request-Timestamp, in milliseconds [doc: Request validation].
func SignHubSpot(secret, uri string, body []byte, timestamp string) string {
	path, query, found := strings.Cut(uri, "?")
	if found {
		path += "?" + decodedInQuery.Replace(query)
	}
	m := hmac.New(sha256.New, []byte(secret))
	for _, part := range [][]byte{[]byte(http.MethodPost), []byte(path), body, []byte(timestamp)} {
		_, _ = m.Write(part)
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
