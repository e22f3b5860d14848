package api

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"example.com/enlace/providers/words"
)

// logged begins the call, and notes how it ended. The query stays out of the log: it may hold codes and tokens.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answerWithin(w, answerLimit)
		r, c := withCall(r)
		began := time.Now()
		w.Header().Set("X-Request-Id", c.id)
		setSafeHeaders(w.Header())
		answer := &answerWriter{ResponseWriter: w}
		defer func() {
			took := time.Since(began)
			s.metrics.observe(c.pattern, answer.status, took)
			s.note(c, r, answer, took)
		}()
		next.ServeHTTP(answer, r)
	})
}

// setSafeHeaders tells browsers not to guess types, not to be framed, and not to pass addresses on.
func setSafeHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
}

// note writes the line of a request; those that ask whether we are well are only worth one if we aren't.
func (s *Server) note(c *call, r *http.Request, answer *answerWriter, took time.Duration) {
	level := zerolog.InfoLevel
	switch {
	case answer.status >= http.StatusInternalServerError:
		level = zerolog.WarnLevel
	case c.pattern == "GET /healthz", c.pattern == "GET /readyz", c.pattern == "GET /metrics":
		level = zerolog.DebugLevel
	}
	e := s.log.WithLevel(level).Str("request_id", c.id).Str("method", r.Method).Str("path", r.URL.Path).
		Int("status", answer.status).Int64("bytes", answer.bytes).Dur("took", took)
	if c.principal.Actor != "" {
		e = e.Str("actor", c.principal.Actor)
	}
	if c.principal.Tenant != uuid.Nil {
		e = e.Stringer("tenant_id", c.principal.Tenant)
	}
	e.Msg("request")
}

// recovered answers what a panic left unanswered.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.rescue(w, r)
		next.ServeHTTP(w, r)
	})
}

// rescue is deferred itself, as recover demands.
func (s *Server) rescue(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // the value itself is the sign
		panic(p)
	}
	c := callOf(r.Context())
	s.log.Error().Str("request_id", c.id).Str("panic", words.Redact(fmt.Sprint(p))).Bytes("stack", debug.Stack()).Msg("a handler panicked")
	if answer, ok := w.(*answerWriter); !ok || answer.status == 0 {
		s.fail(w, r, &fault{code: words.Internal})
	}
}

// answerWriter remembers what was answered.
type answerWriter struct {
	http.ResponseWriter

	status int
	bytes  int64
}

// WriteHeader is that of [http.ResponseWriter].
func (a *answerWriter) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write is that of [http.ResponseWriter].
func (a *answerWriter) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets [http.ResponseController] flush.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
