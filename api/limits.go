package api

import (
	"context"
	"net/http"
	"time"
)

// How long a request may take. What a provider has begun to do is finished beyond its request, without it.
const (
	workLimit   = 10 * time.Second // of its work: a query that hangs holds one of few connections
	bodyLimit   = 30 * time.Second // of the arrival of its body
	answerLimit = time.Minute      // of work and answer together, to a client that doesn't read
)

// bounded ends the work of a request in time. A lasting route bounds itself.
func (s *Server) bounded(r route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.lasting {
			answerWithin(w, 0)
			next.ServeHTTP(w, req)
			return
		}
		ctx, cancel := context.WithTimeout(req.Context(), workLimit)
		defer cancel()
		next.ServeHTTP(w, req.WithContext(ctx))
	})
}

// answerWithin bounds the writing of an answer; 0: not at all. It is set for every request, as the server doesn't do so
// when a connection is used again. Recorders in tests have no deadlines.
func answerWithin(w http.ResponseWriter, limit time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(deadline(limit))
}

// bodyWithin bounds the arrival of a body; 0: not at all. It must not outlast the body: the server then takes the client
// for gone.
func bodyWithin(w http.ResponseWriter, limit time.Duration) {
	_ = http.NewResponseController(w).SetReadDeadline(deadline(limit))
}

func deadline(limit time.Duration) time.Time {
	if limit == 0 {
		return time.Time{}
	}
	return time.Now().Add(limit)
}
