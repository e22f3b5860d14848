package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"example.com/enlace/providers/words"
)

// The spans of an event stream.
const (
	heartbeat     = 15 * time.Second // with which the caller is known anew
	longestStream = time.Hour        // the client comes back, and is known anew
	writeTimeout  = 30 * time.Second // of one event, to a client that doesn't read
	replayBefore  = 30 * time.Second // what is sent again before the last id
	replayFresh   = 5 * time.Second  // what a client without a last id may have missed since it read its lists
	replayMost    = time.Hour
	retryStreams  = time.Minute // when a tenant has too many
	reconnectMS   = 2000
)

func (s *Server) mountEvents() error {
	return handle(s, operation{
		method: http.MethodGet, path: "/v1/events", access: accessTenant, id: "read-events", tag: "Events", lasting: true,
		summary: "Follow runs and integrations (server-sent events)",
		description: "Events `run` and `integration`, whose data are as in their lists. They are hints: after a break, all that has changed since " +
			"30 s before Last-Event-ID is sent again, and repeats are normal. A comment comes each 15 s. Read it by fetch, which can send the key; " +
			"a key in the address is not accepted. A tenant may have 20 streams open.",
		success: &huma.Response{
			Description: "The stream, until the session or token ends, an hour at most.",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		},
	}, s.events)
}

type eventsInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"The last id that was seen."`
}

func (s *Server) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	tenant, err := oneTenant(callOf(ctx).principal)
	if err != nil {
		return nil, err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, err
	}
	since := now.Add(-replayFresh)
	if last, err := time.Parse(time.RFC3339Nano, in.LastEventID); err == nil {
		since = maxTime(last.Add(-replayBefore), now.Add(-replayMost))
	}
	l, leave, free := s.feed.listen(tenant)
	if !free {
		return nil, &fault{code: words.RateLimited, variant: words.VariantOurs, retryAt: s.opts.Now().Add(retryStreams), hint: "A tenant may have 20 event streams open."}
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer leave()
		w, ok := hc.BodyWriter().(http.ResponseWriter)
		if !ok {
			return
		}
		st := &stream{server: s, w: w, control: http.NewResponseController(w), last: since}
		st.serve(ctx, l, since)
	}}, nil
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stream is one open event stream.
type stream struct {
	server  *Server
	w       http.ResponseWriter
	control *http.ResponseController
	last    time.Time // of the last event: ids never go back
}

// serve, whose listener listens already, sends what has changed before, and so misses nothing.
func (st *stream) serve(ctx context.Context, l *listener, since time.Time) {
	s, tenant := st.server, l.tenant
	h := st.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	st.w.WriteHeader(http.StatusOK)
	if st.write(fmt.Sprintf("retry: %d\n\n", reconnectMS)) != nil || st.replay(ctx, tenant, since) != nil {
		return
	}
	life := longestStream
	if ends := callOf(ctx).principal.ExpiresAt; !ends.IsZero() {
		life = min(life, ends.Sub(s.opts.Now()))
	}
	end := time.NewTimer(life)
	defer end.Stop()
	beat := time.NewTicker(s.feed.heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-beat.C:
			if err = st.stillAllowed(ctx, tenant); err == nil {
				err = st.write(": still here\n\n")
			}
		case c, ok := <-l.ch:
			if !ok {
				return
			}
			err = st.send(ctx, c)
		}
		if err != nil {
			return
		}
	}
}

// stillAllowed ends the stream of a key that was revoked, or of a browser that was signed out, since it began. While the
// database is away, nobody knows, and it goes on.
func (st *stream) stillAllowed(ctx context.Context, tenant uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	r := callOf(ctx).request.WithContext(ctx)
	p, err := st.server.admit(accessTenant, r)
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if err == nil && p.Tenant != tenant {
		return forbidden("tenant")
	}
	return nil
}

func (st *stream) replay(ctx context.Context, tenant uuid.UUID, since time.Time) error {
	c, err := st.server.store.ChangedSince(ctx, []uuid.UUID{tenant}, since, feedRows)
	if err != nil {
		return err
	}
	sorted, err := st.server.feed.sort(ctx, c)
	if err != nil {
		return err
	}
	return st.send(ctx, sorted[tenant])
}

// send writes changes as their lists show them.
func (st *stream) send(ctx context.Context, c changes) error {
	s, lang := st.server, callOf(ctx).lang
	held, err := s.heldOf(ctx, c.runs)
	if err != nil {
		return err
	}
	for _, r := range c.runs {
		if err := st.event("run", r.UpdatedAt, s.viewRun(lang, r, c.of[r.IntegrationID], held[r.ID])); err != nil {
			return err
		}
	}
	if len(c.integrations) == 0 {
		return nil
	}
	views, err := s.viewIntegrations(ctx, lang, c.integrations)
	if err != nil {
		return err
	}
	for _, v := range views {
		if err := st.event("integration", v.UpdatedAt, v); err != nil {
			return err
		}
	}
	return nil
}

func (st *stream) event(name string, at time.Time, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	st.last = maxTime(st.last, at)
	return st.write(fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", name, st.last.UTC().Format(time.RFC3339Nano), data))
}

func (st *stream) write(text string) error {
	_ = st.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // recorders in tests have none
	if _, err := io.WriteString(st.w, text); err != nil {
		return err
	}
	return st.control.Flush()
}
