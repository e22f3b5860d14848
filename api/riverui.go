package api

import "net/http"

const riverUIPrefix = "/riverui"

// mountRiverUI mounts River UI. It has neither a login nor any guard of its writes: ours stands before both, and a
// browser's session is asked for its origin there as everywhere.
func (s *Server) mountRiverUI() error {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private")
		s.riverUI.ServeHTTP(w, r)
	})
	return s.mountRoutes(
		route{path: riverUIPrefix, access: accessAdmin, lasting: true, handler: page},
		route{path: riverUIPrefix + "/", access: accessAdmin, lasting: true, handler: page},
	)
}
