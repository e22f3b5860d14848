package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind names what goes wrong.
type Kind string

// Faults of the line and the server, the same at every provider. Those that say
// "accepted" do the work first and lose only the answer.
const (
	FaultReset              Kind = "reset"                // the connection is reset, nothing was done
	FaultResetAfterAccept   Kind = "reset_after_accept"   // accepted, then the connection is reset
	FaultTimeoutAfterAccept Kind = "timeout_after_accept" // accepted, then never an answer
	FaultHang               Kind = "hang"                 // never an answer, nothing was done
	FaultSlow               Kind = "slow"                 // the right answer after Fault.MS, else 3 s
	FaultDrip               Kind = "drip"                 // headers at once, then a byte a minute
	FaultTruncate           Kind = "truncate"             // half of the promised bytes, then the end
	FaultMalformed          Kind = "malformed"            // half of the JSON as if it were all of it
	FaultEmpty200           Kind = "empty_200"            // 200 without a body
	Fault502                Kind = "502"                  // a proxy's HTML page
	Fault503HTML            Kind = "503_html"             // the maintenance page
	FaultHTML403            Kind = "html_403"             // the firewall's block page
)

// Faults that each provider answers in its own words, where it has such an
// answer.
const (
	Fault429          Kind = "429"            // too many in the window
	FaultDaily429     Kind = "daily_429"      // the day's budget is spent
	Fault500          Kind = "500"            // the provider's own error envelope
	Fault401          Kind = "401"            // the access token is refused
	Fault402          Kind = "402"            // the account is not open
	Fault403Scope     Kind = "403_scope"      // the scope does not cover this
	Fault404          Kind = "404"            // not found
	Fault410          Kind = "410"            // the endpoint is retired
	FaultBadCursor    Kind = "bad_cursor"     // the cursor is refused
	FaultSuccessFalse Kind = "success_false"  // 200 that says it failed
	FaultInvalidGrant Kind = "invalid_grant"  // the code or refresh token is refused
	FaultBadClient    Kind = "invalid_client" // our app's credentials are refused
)

// Faults of a list, played by its handler.
const (
	FaultRepeatCursor Kind = "repeat_cursor" // the next cursor is the one just used
	FaultHalfPage     Kind = "half_page"     // half of the page's records are left out, the cursor goes on
	FaultEmptyList    Kind = "empty_list"    // an empty last page
)

// Forever as Fault.Times plays a fault until the list of faults is replaced.
const Forever = -1

// Fault is something that goes wrong with calls of one path.
type Fault struct {
	// Path is the beginning of the path as the provider names it, for example
	// /api/v2/persons or /oauth/token; empty means every path.
	Path string `json:"path"`
	// AtCall is the first matching call that fails, counted from now; 0 and 1
	// both mean the next.
	AtCall int `json:"at_call"`
	// Times is how many calls fail from there on; 0 means 1, Forever all.
	Times int  `json:"times"`
	Kind  Kind `json:"kind"`
	// MS is how long FaultSlow waits, in milliseconds.
	MS int `json:"ms,omitempty"`
}

// Answer is an answer that a test wrote.
type Answer struct {
	Status int // 0 means 200
	Header http.Header
	Body   string
}

// faultHeader marks an answer that is not the provider's own, for people who
// look at the traffic and for spectest, which does not check those.
const faultHeader = "X-Sandbox-Fault"

type armedFault struct {
	Fault
	seen, played int
}

type script struct {
	path    string
	answers []Answer
}

// transport are the faults that site plays itself.
var transport = map[Kind]func(t *site, w http.ResponseWriter, r *http.Request, routes http.Handler, f Fault){
	FaultReset:              (*site).playReset,
	FaultResetAfterAccept:   (*site).playResetAfterAccept,
	FaultTimeoutAfterAccept: (*site).playTimeoutAfterAccept,
	FaultHang:               (*site).playHang,
	FaultSlow:               (*site).playSlow,
	FaultDrip:               (*site).playDrip,
	FaultTruncate:           (*site).playTruncate,
	FaultMalformed:          (*site).playMalformed,
	FaultEmpty200:           playPage(http.StatusOK, ""),
	Fault502:                playPage(http.StatusBadGateway, "<html><body><h1>502 Bad Gateway</h1></body></html>\n"),
	Fault503HTML:            playPage(http.StatusServiceUnavailable, "<html><body><h1>We are down for maintenance</h1></body></html>\n"),
	FaultHTML403:            playPage(http.StatusForbidden, blockPage),
}

const blockPage = "<!DOCTYPE html><html><head><title>Access denied</title></head><body><h1>Sorry, you have been blocked</h1><p>Performance &amp; security by Cloudflare</p></body></html>\n"

// check says what is wrong with f for this provider, or nil.
func (t *site) check(f Fault) error {
	_, worded := t.answers[f.Kind]
	_, line := transport[f.Kind]
	switch {
	case !worded && !line && !t.quirks[f.Kind]:
		return fmt.Errorf("unknown kind %q: this provider plays %s", f.Kind, strings.Join(t.kinds(), ", "))
	case f.Path != "" && !strings.HasPrefix(f.Path, "/"):
		return fmt.Errorf("path %q must begin with a slash", f.Path)
	case f.AtCall < 0:
		return fmt.Errorf("at_call %d must not be negative", f.AtCall)
	case f.Times < Forever:
		return fmt.Errorf("times %d must be -1 (for ever) or more", f.Times)
	case f.MS < 0:
		return fmt.Errorf("ms %d must not be negative", f.MS)
	}
	return nil
}

func (t *site) kinds() []string {
	var names []string
	for _, kinds := range []([]Kind){
		slices.Collect(maps.Keys(t.answers)), slices.Collect(maps.Keys(transport)), slices.Collect(maps.Keys(t.quirks)),
	} {
		for _, k := range kinds {
			names = append(names, string(k))
		}
	}
	slices.Sort(names)
	return names
}

func (t *site) checkFaults(faults []Fault) error {
	for i, f := range faults {
		if err := t.check(f); err != nil {
			return fmt.Errorf("faults[%d]: %w", i, err)
		}
	}
	return nil
}

// setFaults replaces all faults; their calls are counted from now.
func (t *site) setFaults(faults []Fault) error {
	if err := t.checkFaults(faults); err != nil {
		return err
	}
	armed := make([]armedFault, 0, len(faults))
	for _, f := range faults {
		armed = append(armed, armedFault{Fault: f})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = armed
	return nil
}

// pending lists the faults that still have something to play.
func (t *site) pending() []Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := []Fault{}
	for _, f := range t.faults {
		if !f.spent() {
			left = append(left, f.Fault)
		}
	}
	return left
}

func (f *armedFault) spent() bool { return f.Times != Forever && f.played >= max(f.Times, 1) }

// nextFault counts a call at all faults of its path and returns the first that
// is due. The caller holds the lock.
func (t *site) nextFault(path string) *Fault {
	var due *Fault
	for i := range t.faults {
		f := &t.faults[i]
		if !strings.HasPrefix(path, f.Path) {
			continue
		}
		f.seen++
		if due == nil && f.seen >= f.AtCall && !f.spent() {
			f.played++
			due = &f.Fault
		}
	}
	return due
}

// addScript appends answers that calls of path get, one each and in order,
// before anything else is looked at.
func (t *site) addScript(path string, answers []Answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.scripts {
		if t.scripts[i].path == path {
			t.scripts[i].answers = append(t.scripts[i].answers, answers...)
			return
		}
	}
	t.scripts = append(t.scripts, script{path: path, answers: slices.Clone(answers)})
}

func (t *site) clearScripts() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.scripts = nil
}

// nextAnswer takes the next scripted answer for path. The caller holds the lock.
func (t *site) nextAnswer(path string) *Answer {
	for i := range t.scripts {
		s := &t.scripts[i]
		if strings.HasPrefix(path, s.path) && len(s.answers) > 0 {
			a := s.answers[0]
			s.answers = s.answers[1:]
			return &a
		}
	}
	return nil
}

// answersLeft counts the scripted answers that nobody has asked for yet.
func (t *site) answersLeft() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := 0
	for _, s := range t.scripts {
		left += len(s.answers)
	}
	return left
}

func (a Answer) write(w http.ResponseWriter, mark string) {
	maps.Copy(w.Header(), a.Header)
	if w.Header().Get("Content-Type") == "" {
		kind := "text/html; charset=utf-8"
		if strings.HasPrefix(a.Body, "{") || strings.HasPrefix(a.Body, "[") {
			kind = "application/json; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
	}
	w.Header().Set(faultHeader, mark)
	w.WriteHeader(max(a.Status, http.StatusOK))
	_, _ = io.WriteString(w, a.Body)
}

// play answers a call with a fault.
func (t *site) play(w http.ResponseWriter, r *http.Request, routes http.Handler, f Fault) {
	if f.Kind == Fault429 || f.Kind == FaultDaily429 {
		t.count(func(n *tally) { n.RateLimited++ })
	}
	if answer, ok := t.answers[f.Kind]; ok {
		answer.write(w, string(f.Kind))
		return
	}
	w.Header().Set(faultHeader, string(f.Kind))
	if t.quirks[f.Kind] {
		routes.ServeHTTP(w, r)
		return
	}
	transport[f.Kind](t, w, r, routes, f)
}

func playPage(status int, html string) func(*site, http.ResponseWriter, *http.Request, http.Handler, Fault) {
	return func(_ *site, w http.ResponseWriter, _ *http.Request, _ http.Handler, f Fault) {
		Answer{Status: status, Body: html}.write(w, string(f.Kind))
	}
}

func (t *site) playReset(w http.ResponseWriter, _ *http.Request, _ http.Handler, _ Fault) { reset(w) }

func (t *site) playResetAfterAccept(w http.ResponseWriter, r *http.Request, routes http.Handler, _ Fault) {
	routes.ServeHTTP(newKept(), r)
	reset(w)
}

func (t *site) playTimeoutAfterAccept(w http.ResponseWriter, r *http.Request, routes http.Handler, f Fault) {
	routes.ServeHTTP(newKept(), r)
	t.playHang(w, r, routes, f)
}

// playHang waits until the client goes away. net/http notices that only once the
// request's body was read.
func (t *site) playHang(_ http.ResponseWriter, r *http.Request, _ http.Handler, _ Fault) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-r.Context().Done():
	case <-t.closed:
	}
	panic(http.ErrAbortHandler) // else net/http would answer an empty 200
}

func (t *site) playSlow(w http.ResponseWriter, r *http.Request, routes http.Handler, f Fault) {
	wait := 3 * time.Second
	if f.MS > 0 {
		wait = time.Duration(f.MS) * time.Millisecond
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || !t.hold(r, wait) {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	routes.ServeHTTP(w, r)
}

func (t *site) playDrip(w http.ResponseWriter, r *http.Request, routes http.Handler, _ Fault) {
	kept := keep(routes, r)
	kept.copyHead(w, len(kept.body.Bytes()))
	flusher := http.NewResponseController(w)
	for i := range kept.body.Bytes() {
		_, err := w.Write(kept.body.Bytes()[i : i+1])
		if err != nil || flusher.Flush() != nil || !t.hold(r, time.Minute) {
			panic(http.ErrAbortHandler)
		}
	}
}

func (t *site) playTruncate(w http.ResponseWriter, r *http.Request, routes http.Handler, _ Fault) {
	kept := keep(routes, r)
	kept.copyHead(w, kept.body.Len())
	_, _ = w.Write(kept.body.Bytes()[:kept.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (t *site) playMalformed(w http.ResponseWriter, r *http.Request, routes http.Handler, _ Fault) {
	kept := keep(routes, r)
	half := kept.body.Bytes()[:kept.body.Len()/2]
	kept.copyHead(w, len(half))
	_, _ = w.Write(half)
}

// reset closes the connection so that the client sees it reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// kept is an answer that was made but not sent.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newKept() *kept { return &kept{header: http.Header{}, status: http.StatusOK} }

func keep(routes http.Handler, r *http.Request) *kept {
	k := newKept()
	routes.ServeHTTP(k, r)
	return k
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) WriteHeader(status int)      { k.status = status }
func (k *kept) Write(b []byte) (int, error) { return k.body.Write(b) }

func (k *kept) copyHead(w http.ResponseWriter, length int) {
	maps.Copy(w.Header(), k.header)
	w.Header().Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(k.status)
}
