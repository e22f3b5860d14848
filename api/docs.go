package api

import (
	_ "embed"
	"fmt"
	"net/http"
)

// exampleID is what ids look like.
const exampleID = "00000000-0000-4000-8000-000000000001"

//go:embed docs.html
var docsPage []byte

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
