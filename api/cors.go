package api

import (
	"net/http"
)

// What supabase-js sends, and what a page may read of an answer.
const (
	corsHeaders = "authorization, x-client-info, apikey, content-type, x-region, accept-profile, content-profile, prefer, range, x-retry-count, " +
		"idempotency-key, last-event-id, x-enlace-tenant, accept-language"
	corsExposed = "Content-Language, Location, Retry-After, X-Request-Id"
	corsMaxAge  = "7200"
)

// cors lets the pages of allowed origins call the API, and read its refusals too. A preflight has no credentials and is
// answered before anything else; from any other origin it gets the same answer without permission.
func (s *Server) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		allowed := s.origins[origin]
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Expose-Headers", corsExposed)
		}
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		h.Add("Vary", "Access-Control-Request-Method")
		h.Add("Vary", "Access-Control-Request-Headers")
		if allowed {
			h.Set("Access-Control-Allow-Methods", s.corsMethods(r))
			h.Set("Access-Control-Allow-Headers", corsHeaders)
			h.Set("Access-Control-Max-Age", corsMaxAge)
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// corsMethods are those of the functions that Supabase has; the API under /v1 has more.
func (s *Server) corsMethods(r *http.Request) string {
	if callOf(r.Context()).function {
		return "GET, POST, OPTIONS"
	}
	return "GET, POST, PATCH, DELETE, OPTIONS"
}
