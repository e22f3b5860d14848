package api

import (
	_ "embed"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// exampleID is what ids look like.
const exampleID = "00000000-0000-4000-8000-000000000001"

//go:embed docs.html
var docsPage []byte

// describeAPI is what the OpenAPI document says beside the operations.
func describeAPI(doc *huma.OpenAPI, publicURL string) {
	doc.Info.Description = "Syncs contacts of CRM accounts durably. Lists are {items, next_cursor}; a refusal is a problem (RFC 9457) whose `code` is stable. " +
		"A POST that causes work takes an Idempotency-Key: the same key and body give the same answer for a day."
	doc.Servers = []*huma.Server{{URL: publicURL}}
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key":     {Type: "http", Scheme: "bearer", Description: "An API key (enlace_…), the admin key, or a Supabase user's access token. An API key may also come in the header apikey."},
		"session": {Type: "apiKey", In: "cookie", Name: "enlace_session", Description: "A browser's session; __Host-enlace_session where the server is reached by https."},
	}
}

func (s *Server) mountDocs() error {
	return s.mountRoutes(
		route{method: http.MethodGet, path: "/openapi.json", access: accessOpen, handler: http.HandlerFunc(s.openAPI)},
		route{method: http.MethodGet, path: "/docs", access: accessOpen, handler: http.HandlerFunc(s.docs)},
	)
}

func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) {
	doc, err := s.huma.OpenAPI().MarshalJSON()
	if err != nil {
		s.fail(w, r, fmt.Errorf("write OpenAPI document: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(doc)
}

// docs is one page that reads /openapi.json: nothing of it is loaded from elsewhere.
func (s *Server) docs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
	_, _ = w.Write(docsPage)
}
