package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds what a load balancer waits for.
const readyTimeout = 3 * time.Second

func (s *Server) mountHealth() error {
	metrics := promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return s.mountRoutes(
		route{method: http.MethodGet, path: "/healthz", access: accessOpen, handler: http.HandlerFunc(s.healthz)},
		route{method: http.MethodGet, path: "/readyz", access: accessOpen, handler: http.HandlerFunc(s.readyz)},
		route{method: http.MethodGet, path: "/metrics", access: accessAdmin, handler: metrics},
	)
}

// healthz says that the process answers, and asks nothing else: who restarts us for it can't mend a database.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether requests can be served: the database answers, and has our schema.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	check := s.opts.Ready
	if check == nil {
		check = s.store.Ping
	}
	if err := check(ctx); err != nil {
		s.log.Warn().Err(err).Msg("not ready")
		s.reply(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready"})
		return
	}
	s.reply(w, http.StatusOK, map[string]string{"status": "ok"})
}

// reply answers with JSON.
func (s *Server) reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug().Err(err).Msg("the caller left before its answer")
	}
}
