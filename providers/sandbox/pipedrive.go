package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// DefaultCompany is the id of the Pipedrive company that a consent picks when
// nobody chooses; the others count on from it.
const DefaultCompany = 4242

// Pipedrive is the fake of Pipedrive: OAuth, API v2 persons, and of API v1 the
// current user and the webhook subscriptions. It is safe for concurrent use.
type Pipedrive struct {
	sandbox *Sandbox
	steering
	auth *authority

	patching sync.Mutex // one PATCH at a time, since each begins with the current settings

	mu        sync.Mutex
	settings  PipedriveSettings
	companies []*company
	budget    budget
	bursts    map[string]*burst
	banned    map[int]bool // companies
	hooks     hooks
}

// PipedriveSettings are what the control resource shows and PATCH changes.
type PipedriveSettings struct {
	// AutoConsent answers /oauth/authorize with a redirect as if the user had
	// allowed it for ConsentCompany, without the page.
	AutoConsent    bool `json:"auto_consent"`
	ConsentCompany int  `json:"consent_company"`
	// Webhooks says whether subscriptions can be made and are told of changes;
	// without, creating one answers 422 as for a user who has 40 already.
	Webhooks bool `json:"webhooks"`
	WebhookSettings
	// LatencyMS is waited before every answer, in milliseconds.
	LatencyMS int `json:"latency_ms"`
	// PageLimit caps a page whatever the client asks; 0 means 500.
	PageLimit int `json:"page_limit"`
	// Burst is the number of requests in 2 s that an access token has; 0 means
	// no limit and no headers.
	Burst int `json:"burst"`
	// TokenLifeSeconds is how long an access token lives.
	TokenLifeSeconds int `json:"token_life_seconds"`
	// RotateRefreshTokens makes each refresh give a new refresh token and refuse
	// the one before.
	RotateRefreshTokens bool `json:"rotate_refresh_tokens"`
	// Scope is what the app is registered with, separated by commas.
	Scope string `json:"scope"`
	// ListDeleted shows soft-deleted persons in lists; ReadDeleted in single
	// reads, which else answer 404. The documents leave both open.
	ListDeleted bool `json:"list_deleted"`
	ReadDeleted bool `json:"read_deleted"`
	// DeleteMovesTime makes a deletion set the update time.
	DeleteMovesTime bool `json:"delete_moves_time"`
	// Visible hides persons with a higher id from the user, as a narrowed
	// permission does; 0 means that all are visible.
	Visible int64 `json:"visible"`
	// LastPage is how a list ends: LastPageNull, LastPageAbsent or LastPageBare.
	LastPage string `json:"last_page"`
	// HideDate leaves the Date header out.
	HideDate bool `json:"hide_date"`
	// Bans shuts out a company for good, by the firewall's page, once one of its
	// calls is over a limit; false lets it in again.
	Bans bool `json:"bans"`
}

// How the last page of a list says that it is the last.
const (
	LastPageNull   = "null"   // "additional_data":{"next_cursor":null}, as the live API
	LastPageAbsent = "absent" // "additional_data":{}, as the published schema demands
	LastPageBare   = "bare"   // no additional_data at all
)

// company is one customer of Pipedrive with its persons.
type company struct {
	id, user int
	name     string
	domain   string
	renamed  bool // then only its new address is served
	persons  *records
	merging  merge // guarded by the persons' lock
}

// Company is one of the companies that can be connected.
type Company struct {
	ID       int    `json:"id"`
	UserID   int    `json:"user_id"`
	Name     string `json:"name"`
	Domain   string `json:"domain"`
	Contacts int    `json:"contacts"` // living ones
}

var companyNames = [][2]string{{"Nordlicht GmbH", "nordlicht-gmbh"}, {"Café Lumière SARL", "cafe-lumiere"}, {"Estúdio Ótimo Ltda", "estudio-otimo"}}

func newPipedrive(s *Sandbox, cfg Config) *Pipedrive {
	p := &Pipedrive{
		sandbox:  s,
		steering: steering{site: newSite(s, pipedriveAnswers(), FaultRepeatCursor, FaultHalfPage, FaultEmptyList)},
		auth:     newAuthority(s.clock, cfg),
		settings: PipedriveSettings{
			ConsentCompany: DefaultCompany, Webhooks: true, Burst: 400, TokenLifeSeconds: 3599,
			Scope:       "base,contacts:read,webhooks:full",
			ReadDeleted: true, DeleteMovesTime: true, LastPage: LastPageNull,
			WebhookSettings: WebhookSettings{WebhookTimeoutMS: 10_000, WebhookSpeed: 1, WebhookConcurrency: mostConcurrent},
		},
		budget: budget{limit: 1_500_000, spent: map[int]int{}},
		bursts: map[string]*burst{},
		banned: map[int]bool{},
		hooks:  hooks{byID: map[int]*webhook{}},
	}
	p.outbox = newOutbox(s, p.site, p.settings.WebhookSettings)
	for i := range cfg.Companies {
		c := &company{id: DefaultCompany + i, user: 7001 + i, persons: newRecords(cfg.Contacts, cfg.Seed+uint64(i), s.clock.now())}
		c.name, c.domain = fmt.Sprintf("Company %d", i+1), fmt.Sprintf("company-%d", i+1)
		if i < len(companyNames) {
			c.name, c.domain = companyNames[i][0], companyNames[i][1]
		}
		c.persons.heard = func(before record, existed bool, after record) { p.personChanged(c, before, existed, after) }
		p.companies = append(p.companies, c)
	}
	return p
}

// handler serves the provider-relative paths.
func (p *Pipedrive) handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /oauth/authorize", p.authorize)
	routes.HandleFunc("POST /oauth/authorize", p.decide)
	routes.HandleFunc("POST /oauth/token", p.token)
	routes.HandleFunc("POST /oauth/token/{$}", p.token)
	routes.HandleFunc("POST /oauth/revoke", p.revoke)
	routes.HandleFunc("GET /api/v2/persons", p.api(10, scopeRead, p.listPersons))
	routes.HandleFunc("GET /api/v2/persons/{id}", p.api(1, scopeRead, p.readPerson))
	routes.HandleFunc("DELETE /api/v2/persons/{id}", p.api(3, scopeWrite, p.deletePerson))
	routes.HandleFunc("GET /api/v1/users/me", p.api(2, scopeBase, p.currentUser))
	routes.HandleFunc("GET /api/v1/webhooks", p.api(10, scopeHooks, p.listWebhooks))
	routes.HandleFunc("POST /api/v1/webhooks", p.api(10, scopeHooks, p.createWebhook))
	routes.HandleFunc("DELETE /api/v1/webhooks/{id}", p.api(6, scopeHooks, p.deleteWebhook))
	for _, retired := range []string{"/api/v1/persons", "/api/v1/recents"} { // since 2026-08-01
		routes.HandleFunc(retired, func(w http.ResponseWriter, _ *http.Request) { gone.write(w) })
	}
	routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { notFound("URL not found").write(w) })
	return p.byCompanyAddress(p.site.wrap(routes))
}

// byCompanyAddress serves /company/{domain}/api/… too: the address that a
// renamed company gets, told apart from the common one.
func (p *Pipedrive) byCompanyAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, "/company/")
		if domain, path, cut := strings.Cut(rest, "/"); ok && cut {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = "/"+path, ""
			r.Header.Set(addressHeader, domain)
		} else {
			r.Header.Del(addressHeader)
		}
		next.ServeHTTP(w, r)
	})
}

// addressHeader carries the company's domain from the path to the handlers.
const addressHeader = "X-Sandbox-Company-Domain"

// session is an API call whose token was good.
type session struct {
	company *company
	grant   grant
}

// api puts what all API calls have in common before h: the token, the scope,
// the company's address and the limits.
func (p *Pipedrive) api(cost int, scope []string, h func(http.ResponseWriter, *http.Request, session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if header := r.Header.Get("Authorization"); header != "" && (!ok || token == "") {
			badRequest("malformed authorization header").write(w)
			return
		}
		g, ok := p.auth.verify(token)
		if !ok {
			unauthorized.write(w)
			return
		}
		c := p.company(g.company)
		p.site.noteGrant(r, g.name())
		refusal := p.limit(w.Header(), token, c, cost)
		if p.bans(c, refusal != nil) {
			Answer{Status: http.StatusForbidden, Body: blockPage}.write(w, string(FaultHTML403))
			return
		}
		switch {
		case c == nil:
			unauthorized.write(w)
		case refusal != nil:
			p.site.count(func(n *tally) { n.RateLimited++ })
			refusal.write(w)
		case !p.addressed(r, c):
			notFound("URL not found").write(w)
		case !scopeCovers(g.scope, scope):
			scopeMismatch.write(w)
		default:
			h(w, r, session{company: c, grant: g})
		}
	}
}

// addressed says whether the company is served at the address of r.
func (p *Pipedrive) addressed(r *http.Request, c *company) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	domain := r.Header.Get(addressHeader)
	return domain == c.domain || domain == "" && !c.renamed
}

// apiDomain is the api_domain that token answers name.
func (p *Pipedrive) apiDomain(r *http.Request, c *company) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	address := p.sandbox.base(r) + "/sandbox/pipedrive"
	if c.renamed {
		address += "/company/" + c.domain
	}
	return address
}

func (p *Pipedrive) company(id int) *company {
	for _, c := range p.companies {
		if c.id == id || id == 0 {
			return c
		}
	}
	return nil
}

// companyOf finds a company for the control; 0 is the first.
func (p *Pipedrive) companyOf(id int) (*company, error) {
	if c := p.company(id); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no company %d: there are %d to %d", id, DefaultCompany, DefaultCompany+len(p.companies)-1)
}

func (p *Pipedrive) current() PipedriveSettings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings
}

// currentUser is GET /api/v1/users/me.
func (p *Pipedrive) currentUser(w http.ResponseWriter, _ *http.Request, s session) {
	p.mu.Lock()
	name, domain := s.company.name, s.company.domain
	p.mu.Unlock()
	writeAPI(w, http.StatusOK, map[string]any{"success": true, "data": map[string]any{
		"id": s.grant.user, "name": fmt.Sprintf("Sandbox User %d", s.grant.user), "default_currency": "EUR",
		"locale": "en_US", "lang": 1, "email": fmt.Sprintf("user%d@example.com", s.grant.user), "phone": nil,
		"activated": true, "last_login": "2026-01-02 08:45:56", "created": "2018-11-13 09:16:26", "modified": nil,
		"has_created_company": true, "active_flag": true, "timezone_name": "Europe/Berlin", "timezone_offset": "+01:00",
		"access":  []map[string]any{{"app": "global", "admin": true, "permission_set_id": "233b7976-39bd-43a9-b305-ef3a2b0998e5"}},
		"role_id": 1, "icon_url": nil, "is_you": true, "is_deleted": false,
		"company_id": s.company.id, "company_name": name, "company_domain": domain,
		"company_country": "DE", "company_industry": "IT Services",
		"language": map[string]any{"language_code": "en", "country_code": "US"},
	}})
}

// retentionOver says whether a deleted person can no longer be read.
func (p *Pipedrive) retentionOver(r record) bool {
	return r.purged || r.deleted != 0 && p.sandbox.Now().Sub(time.Unix(r.deleted, 0)) >= retention
}
