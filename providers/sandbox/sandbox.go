// Package sandbox is the realistic stand-in of the providers: what `enlace dev`
// and `enlace sandbox` connect to, and the double that all tests use. It is
// written from the providers' published specs and pages, never from the
// adapters, lest both share a misreading.
//
// Every provider is mounted under /sandbox/{provider} of one host and is steered
// in Go or over HTTP at /sandbox/control/{provider}: settings, faults, scripted
// answers, changed records, a log of what was asked. Records are made from their
// number on demand and only changed ones are stored, so a million cost no
// memory. The package leaves to others what an answer means: it knows no
// adapter, no job and no database.
//
// A new provider is a file with its routes and answers, a site (see site.go)
// around them, and one line in New.
package sandbox

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config describes a sandbox. The zero value is usable.
type Config struct {
	// BaseURL is where this server is reached, for example
	// http://127.0.0.1:8080. Empty means: take it from each request's Host.
	BaseURL string
	// ClientID and ClientSecret are what our app is registered with at every
	// provider; empty means DefaultClientID and DefaultClientSecret.
	ClientID, ClientSecret string
	// Contacts is the number of contacts in each company of each CRM.
	Contacts int
	// Companies is the number of companies that each CRM serves; 0 means 3.
	Companies int
	// Now is the providers' clock; nil means time.Now.
	Now func() time.Time
	// Seed varies the generated records. Equal seeds make equal records, also
	// after a restart within one calendar year.
	Seed uint64
}

// What our app is registered with where Config names nothing else.
const (
	DefaultClientID     = "sandbox-client"
	DefaultClientSecret = "sandbox-secret"
)

// Sandbox holds the fakes of all providers. It is safe for concurrent use.
type Sandbox struct {
	clock     *clock
	baseURL   atomic.Pointer[string]
	closed    chan struct{}
	closeOnce sync.Once
	outboxes  []*outbox // complete once New returns
	pipedrive *Pipedrive
}

// New makes a sandbox from cfg. It starts nothing; serve Handler to use it.
func New(cfg Config) *Sandbox {
	if cfg.ClientID == "" {
		cfg.ClientID = DefaultClientID
	}
	if cfg.ClientSecret == "" {
		cfg.ClientSecret = DefaultClientSecret
	}
	if cfg.Companies == 0 {
		cfg.Companies = 3
	}
	s := &Sandbox{clock: newClock(cfg.Now), closed: make(chan struct{})}
	s.SetBaseURL(cfg.BaseURL)
	s.pipedrive = newPipedrive(s, cfg)
	return s
}

// Pipedrive returns the Pipedrive fake, for tests that steer it in Go.
func (s *Sandbox) Pipedrive() *Pipedrive { return s.pipedrive }

// SetBaseURL says where the sandbox is reached, for a server whose address is
// only known once it listens.
func (s *Sandbox) SetBaseURL(url string) {
	url = strings.TrimRight(url, "/")
	s.baseURL.Store(&url)
}

// Now is the providers' time.
func (s *Sandbox) Now() time.Time { return s.clock.now() }

// Advance moves the providers' clock by d, which may be negative.
func (s *Sandbox) Advance(d time.Duration) { s.clock.advance(d) }

// Close ends answers that are being held back (hang, drip, slow), so that a
// server can stop while clients still wait, and drops the webhooks that are not
// delivered yet. It may be called more than once.
func (s *Sandbox) Close() {
	s.closeOnce.Do(func() { close(s.closed) })
	for _, o := range s.outboxes {
		o.close()
	}
}

// Handler mounts all providers at /sandbox/{provider}/ and their control
// resources at /sandbox/control/{provider}.
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/sandbox/pipedrive/", http.StripPrefix("/sandbox/pipedrive", s.pipedrive.handler()))
	mountControl(mux, "pipedrive", s.pipedrive)
	mux.HandleFunc("/sandbox/control/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotFound, "not_found", "no such provider or action in the sandbox's control")
	})
	return mux
}

// base is the address that answers name, without a slash at its end. r may be
// nil where no request is at hand.
func (s *Sandbox) base(r *http.Request) string {
	if url := *s.baseURL.Load(); url != "" || r == nil {
		return url
	}
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
