// Package api is enlace over HTTP: the documented API under /v1, the Supabase-shaped functions, sign-in, River UI, health
// and metrics. It decides who may do what, and says every refusal in words that the caller can act on.
//
// Access is denied by default: a route exists only through [Server.mount], which demands an access rule, and the guard
// that enforces the rule stands before anything else of the route. What a request does is decided in package jobs and
// store; what a sync does, in worker.
package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"riverqueue.com/riverui"

	"example.com/enlace/inspect"
	"example.com/enlace/jobs"
	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// Options are what a server is made of. Store, Jobs and Vault are required.
type Options struct {
	Store     *store.Store
	Jobs      *jobs.Client
	Vault     *vault.Vault
	Providers []*providers.Provider // that are set up here
	Known     []string              // names of further ones that this version has an adapter for
	Log       zerolog.Logger

	// PublicURL is where browsers and providers reach this server; DashboardURL where people are sent after a consent.
	// DashboardURL may be empty: the served dashboard is meant then.
	PublicURL    string
	DashboardURL string

	// AllowedOrigins are further origins whose pages may call the API ("https://app.example.com"); DashboardURL's is
	// always one.
	AllowedOrigins []string

	AdminKey string    // reaches every tenant; empty: there is none
	JWT      JWTConfig // of the Supabase project whose users call; zero: no JWT is accepted

	// AllowBareConnect lets /functions/v1/initiate-oauth?provider&tenant_id begin a consent without a session, as the
	// earlier system did. For the time of a move only.
	AllowBareConnect bool

	// Dev is `enlace dev`: whoever sits at this machine may enter as DemoTenant's admin.
	Dev        bool
	DemoTenant string
	DevKey     string // opens it as well; never stored

	Sandbox   http.Handler // the providers' stand-ins, in dev
	Dashboard fs.FS        // index.html and assets/; nil: a line of text

	// Ready reports an error unless the database has the schema that this program needs. Nil: it is only asked whether
	// it answers.
	Ready func(context.Context) error

	Now func() time.Time // nil: time.Now
}

// Server answers HTTP requests. It is safe for concurrent use.
type Server struct {
	store     *store.Store
	jobs      *jobs.Client
	vault     *vault.Vault
	providers map[string]*providers.Provider
	log       zerolog.Logger
	opts      Options

	publicURL    *url.URL
	dashboardURL *url.URL
	origins      map[string]bool
	crossOrigin  *http.CrossOriginProtection
	tokens       *verifier
	adminKey     [32]byte // its SHA-256

	mux      *http.ServeMux
	routes   []route
	huma     huma.API
	handler  http.Handler
	riverUI  *riverui.Handler
	feed     *feed
	inbox    *inbox
	room     *room
	channels *channels
	metrics  *metrics
	inspect  *inspect.Inspector
	registry *prometheus.Registry

	stop       context.CancelFunc // of what Start has begun
	background sync.WaitGroup
}

// New makes a server. It begins nothing: call [Server.Start] before the first request, and [Server.Close] at the end.
func New(o Options) (*Server, error) {
	if o.Store == nil || o.Jobs == nil || o.Vault == nil {
		return nil, errors.New("api: Store, Jobs and Vault are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		store: o.Store, jobs: o.Jobs, vault: o.Vault, log: o.Log, opts: o,
		providers: make(map[string]*providers.Provider, len(o.Providers)),
		mux:       http.NewServeMux(), registry: prometheus.NewRegistry(),
		stop: func() {},
	}
	for _, p := range o.Providers {
		s.providers[p.Name] = p
	}
	if err := s.readAddresses(); err != nil {
		return nil, err
	}
	var err error
	if s.tokens, err = newVerifier(o.JWT, o.Log, o.Now); err != nil {
		return nil, err
	}
	s.adminKey = adminKeyHash(o.AdminKey)
	s.metrics = newMetrics(s.registry, s.store, o.Log)
	s.feed = newFeed(s.store, o.Log)
	s.inspect = inspect.New(s.store, s.vault, s.providers, o.Log)
	s.inbox, s.room, s.channels = &inbox{jobs: o.Jobs}, newRoom(bodiesAtOnce), newChannels(o.Store, o.Vault)
	s.riverUI, err = riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(o.Jobs.River(), nil), Prefix: riverUIPrefix, JobListHideArgsByDefault: true,
		Logger: slog.New(zerolog.NewSlogHandler(o.Log.With().Str("part", "riverui").Logger())),
	})
	if err != nil {
		return nil, fmt.Errorf("make River UI: %w", err)
	}
	s.huma = s.newHuma()
	if err := s.mountAll(); err != nil {
		return nil, err
	}
	completeSchemas(s.huma.OpenAPI())
	s.handler = s.logged(s.recovered(s.cors(http.HandlerFunc(s.dispatch))))
	return s, nil
}

// mountAll is the list of everything that this server answers.
func (s *Server) mountAll() error {
	for _, mount := range []func() error{
		s.mountHealth, s.mountSessions, s.mountKeys,
		s.mountSyncs, s.mountFailures, s.mountDeletions, s.mountIntegrations, s.mountVerify, s.mountContacts, s.mountIncidents, s.mountEvents, s.mountFunctions,
		s.mountConnect, s.mountWebhooks, s.mountRiverUI, s.mountDocs, s.mountDashboard, s.mountSandbox,
	} {
		if err := mount(); err != nil {
			return err
		}
	}
	return nil
}

// readAddresses parses the addresses, and makes the list of origins whose pages may call us.
func (s *Server) readAddresses() (err error) {
	if s.publicURL, err = parseAddress("PUBLIC_URL", s.opts.PublicURL); err != nil {
		return err
	}
	s.dashboardURL = s.publicURL
	if s.opts.DashboardURL != "" {
		if s.dashboardURL, err = parseAddress("DASHBOARD_URL", s.opts.DashboardURL); err != nil {
			return err
		}
	}
	s.origins = map[string]bool{originOf(s.publicURL): true, originOf(s.dashboardURL): true}
	for _, o := range s.opts.AllowedOrigins {
		u, err := parseAddress("ALLOWED_ORIGINS", o)
		if err != nil {
			return err
		}
		s.origins[originOf(u)] = true
	}
	s.crossOrigin = http.NewCrossOriginProtection()
	for origin := range s.origins {
		if err := s.crossOrigin.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("trust origin %s: %w", origin, err)
		}
	}
	return nil
}

func parseAddress(name, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%s must be an address such as https://enlace.example.com", name)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// originOf is an address as browsers write it in Origin.
func originOf(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + u.Host) }

// secure reports whether browsers reach us by https.
func (s *Server) secure() bool { return s.publicURL.Scheme == "https" }

// Handler answers requests.
func (s *Server) Handler() http.Handler { return s.handler }

// Start begins what runs beside requests: River UI's counts, the feed of changes, and the keys of JWTs. It ends with
// [Server.Close].
func (s *Server) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.riverUI.Start(ctx); err != nil {
		s.stop()
		return fmt.Errorf("start River UI: %w", err)
	}
	s.background.Go(func() { s.feed.run(ctx) })
	s.background.Go(func() { s.tokens.run(ctx) })
	return nil
}

// Close ends what Start has begun, open event streams included. Call it before the HTTP server is shut down, which waits
// for them.
func (s *Server) Close() {
	s.stop()
	s.background.Wait()
}
