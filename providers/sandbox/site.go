package sandbox

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// site is the ground that every provider's fake stands on. It counts and logs
// requests, plays scripted answers and faults, and holds answers back; the
// provider behind it only answers as the real one would.
type site struct {
	clock   *clock
	closed  <-chan struct{}
	answers map[Kind]Answer // the provider's own words for a refusal
	quirks  map[Kind]bool   // kinds that the provider's handlers play themselves

	mu      sync.Mutex
	tally   tally
	log     []*Request
	faults  []armedFault
	scripts []script
	latency time.Duration
	noDate  bool
}

// logLength bounds the log of requests; the counters go on for ever.
const logLength = 10_000

// Request is one call that a provider received.
type Request struct {
	At     time.Time
	Method string
	Path   string // as the provider names it, for example /api/v2/persons
	Query  string
	// Grant names whose access token came along, for example
	// "company 4242 user 7001"; it never holds the token.
	Grant string
	// Fault is the kind of fault that was played, "script" for a scripted
	// answer, else empty.
	Fault string
}

// tally is what the control resource reports of every provider.
type tally struct {
	Calls              int            `json:"calls"`
	CallsByPath        map[string]int `json:"calls_by_path"`
	InFlight           int            `json:"in_flight"`
	InFlightMax        int            `json:"in_flight_max"`
	TokensIssued       int            `json:"tokens_issued"`
	Refreshes          int            `json:"refreshes"`
	RefreshesRefused   int            `json:"refreshes_refused"`
	Revocations        int            `json:"revocations"`
	MessagesReceived   int            `json:"messages_received"`
	CallsPlaced        int            `json:"calls_placed"`
	DuplicatesReceived int            `json:"duplicates_received"`
	RateLimited        int            `json:"rate_limited"`
	WebhookCounts
}

func newSite(s *Sandbox, answers map[Kind]Answer, quirks ...Kind) *site {
	t := &site{clock: s.clock, closed: s.closed, answers: answers, quirks: map[Kind]bool{}}
	for _, k := range quirks {
		t.quirks[k] = true
	}
	t.tally.CallsByPath = map[string]int{}
	return t
}

// wrap puts the site before a provider's routes, whose patterns name the paths
// that calls are counted by.
func (t *site) wrap(routes *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, fault, answer := t.enter(r, countedPath(routes, r))
		defer t.leave()

		t.stampDate(w)
		if !t.hold(r, t.currentLatency()) {
			return
		}
		switch {
		case answer != nil:
			answer.write(w, "script")
		case fault != nil:
			t.play(w, r, routes, *fault)
		default:
			routes.ServeHTTP(w, r)
		}
	})
}

// enter counts and logs a call, and says what is to be played instead of the
// provider's own answer. The request that it returns remembers its log entry.
func (t *site) enter(r *http.Request, path string) (*http.Request, *Fault, *Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.tally.Calls++
	t.tally.CallsByPath[path]++
	t.tally.InFlight++
	t.tally.InFlightMax = max(t.tally.InFlightMax, t.tally.InFlight)

	logged := &Request{At: t.clock.now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery}
	answer := t.nextAnswer(r.URL.Path)
	var fault *Fault
	if answer != nil {
		logged.Fault = "script"
	} else if fault = t.nextFault(r.URL.Path); fault != nil {
		logged.Fault = string(fault.Kind)
	}
	if len(t.log) == logLength {
		t.log = append(t.log[:0], t.log[logLength/2:]...)
	}
	t.log = append(t.log, logged)

	c := &call{logged: logged}
	if fault != nil && t.quirks[fault.Kind] {
		c.quirk = fault.Kind
	}
	return r.WithContext(context.WithValue(r.Context(), callKey{}, c)), fault, answer
}

func (t *site) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tally.InFlight--
}

// count changes the tally under its lock.
func (t *site) count(change func(*tally)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.tally)
}

func (t *site) snapshot() tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	copied := t.tally
	copied.CallsByPath = maps.Clone(t.tally.CallsByPath)
	return copied
}

// requests copies the log, oldest first; it holds the last few thousand.
func (t *site) requests() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	copied := make([]Request, len(t.log))
	for i, logged := range t.log {
		copied[i] = *logged
	}
	return copied
}

// resetCounters forgets what was counted and logged; settings stay.
func (t *site) resetCounters() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tally = tally{
		CallsByPath: map[string]int{}, InFlight: t.tally.InFlight, InFlightMax: t.tally.InFlight,
		WebhookCounts: WebhookCounts{Pending: t.tally.Pending},
	}
	t.log = nil
}

func (t *site) setPace(latency time.Duration, noDate bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latency, t.noDate = latency, noDate
}

func (t *site) currentLatency() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latency
}

// stampDate sets the Date header by the provider's clock, or keeps net/http from
// setting one.
func (t *site) stampDate(w http.ResponseWriter) {
	t.mu.Lock()
	noDate := t.noDate
	t.mu.Unlock()
	if noDate {
		w.Header()["Date"] = nil
		return
	}
	w.Header().Set("Date", t.clock.now().Format(http.TimeFormat))
}

// hold keeps an answer back for d of real time. It is false if the client went
// away or the sandbox closed meanwhile.
func (t *site) hold(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-t.closed:
	}
	return false
}

// countedPath is the route's pattern without its method, so that a million
// single reads are one line of the count.
func countedPath(routes *http.ServeMux, r *http.Request) string {
	_, pattern := routes.Handler(r)
	_, path, found := strings.Cut(pattern, " ")
	if !found {
		path = pattern
	}
	if path == "/" || path == "" {
		return "(unknown)"
	}
	return strings.TrimSuffix(strings.TrimSuffix(path, "{$}"), "/")
}

type callKey struct{}

// call is what the site knows of the request that a handler is answering.
type call struct {
	logged *Request
	quirk  Kind
}

// quirk is the kind of fault that the handler is to play in its own answer, or
// "".
func quirk(r *http.Request) Kind {
	if c, ok := r.Context().Value(callKey{}).(*call); ok {
		return c.quirk
	}
	return ""
}

// noteGrant writes in the log whose token came with the request.
func (t *site) noteGrant(r *http.Request, name string) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.logged.Grant = name
}
