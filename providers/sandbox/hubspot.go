package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultPortal is the id of the HubSpot account that a consent picks when
// nobody chooses; the others count on from it.
const DefaultPortal = 4242

// HubSpot is the fake of HubSpot: OAuth in its versions 1 and 3, account-info,
// and of the CRM the contacts: list, search, batch read, single read. It is safe
// for concurrent use.
type HubSpot struct {
	sandbox *Sandbox
	steering
	auth *authority

	patching sync.Mutex // one PATCH at a time, since each begins with the current settings

	mu       sync.Mutex
	settings HubSpotSettings
	portals  []*portal
	budget   budget            // requests a day and portal
	windows  map[string]*burst // of the rolling limits, by portal and limit
	events   int64             // the id of the last webhook event
}

// HubSpotSettings are what the control resource shows and PATCH changes.
type HubSpotSettings struct {
	// AutoConsent answers /oauth/authorize with a redirect as if the user had
	// allowed it for ConsentPortal, without the page.
	AutoConsent   bool `json:"auto_consent"`
	ConsentPortal int  `json:"consent_portal"`
	// Webhooks says whether the app has subscriptions.
	Webhooks bool `json:"webhooks"`
	// WebhookTarget is the app's one target address, for all portals; empty means
	// that it has none.
	WebhookTarget string `json:"webhook_target"`
	// WebhookObjectTypes gives events the types of newer apps: object.*, with the
	// kind of object beside it.
	WebhookObjectTypes bool `json:"webhook_object_types"`
	// WebhookSameEventID gives each event the id of the one before it.
	WebhookSameEventID bool `json:"webhook_same_event_id"`
	WebhookSettings
	// LatencyMS is waited before every answer, in milliseconds.
	LatencyMS int `json:"latency_ms"`
	// PageLimit caps a page of list and search whatever the client asks; 0 means
	// the provider's own limits.
	PageLimit int `json:"page_limit"`
	// Burst is the number of requests in 10 s that a portal gives our app, search
	// apart; 0 means no limit and no headers.
	Burst int `json:"burst"`
	// SearchBurst is the number of searches in 1 s that a portal allows; 0 means
	// no limit.
	SearchBurst int `json:"search_burst"`
	// HidePolicyName leaves policyName out of 429 bodies, so that only the message
	// names the limit.
	HidePolicyName bool `json:"hide_policy_name"`
	// RetryAfter is the Retry-After of a 429, in seconds; 0 for none.
	RetryAfter int `json:"retry_after"`
	// IndexLagMS is how long search shows a record as it was before a change, in
	// milliseconds. Changes made while it is 0 are indexed at once.
	IndexLagMS int `json:"index_lag_ms"`
	// TokenLifeSeconds is how long an access token lives.
	TokenLifeSeconds int `json:"token_life_seconds"`
	// RotateRefreshTokens makes each refresh give a new refresh token and refuse
	// the one before.
	RotateRefreshTokens bool `json:"rotate_refresh_tokens"`
	// HideRefreshToken leaves the refresh token out of the answers to refreshes.
	HideRefreshToken bool `json:"hide_refresh_token"`
	// HideIdentity leaves hub_id, user_id and scopes out of v3 token answers, as
	// v1 always does.
	HideIdentity bool `json:"hide_identity"`
	// TokenErrors is the form of token errors: TokenErrorsByPath,
	// TokenErrorsStatus, TokenErrorsOAuth or TokenErrorsHTML.
	TokenErrors string `json:"token_errors"`
	// Scope is what the app is registered with, separated by spaces.
	Scope string `json:"scope"`
	// MergeNewID makes the result of a merge a third, new id; else the primary's
	// id stays.
	MergeNewID bool `json:"merge_new_id"`
	// MergeMovesTime and RestoreMovesTime make those set lastmodifieddate.
	MergeMovesTime   bool `json:"merge_moves_time"`
	RestoreMovesTime bool `json:"restore_moves_time"`
	// LostID is what reading an id that was merged away answers:
	// LostIDSurvivor or LostIDGone.
	LostID string `json:"lost_id"`
	// BatchMissing is how a batch read tells of ids that it didn't find:
	// BatchMissingErrors or BatchMissingSilent.
	BatchMissing string `json:"batch_missing"`
	// HideSearchMerges leaves the two merge properties out of search results.
	HideSearchMerges bool `json:"hide_search_merges"`
	// UnknownFilter is what search makes of a filter on a property that contacts
	// don't have: UnknownFilterError or UnknownFilterNothing.
	UnknownFilter string `json:"unknown_filter"`
	// HideDate leaves the Date header out.
	HideDate bool `json:"hide_date"`
}

// The forms of a token error. Which one v3 has is undocumented.
const (
	TokenErrorsByPath = "path"   // v1 paths as status, the others as oauth
	TokenErrorsStatus = "status" // {"status":"BAD_REFRESH_TOKEN","message":…}
	TokenErrorsOAuth  = "oauth"  // {"error":"invalid_grant","error_description":…}
	TokenErrorsHTML   = "html"   // a page
)

// What reading an id that was merged away answers.
const (
	LostIDSurvivor = "survivor" // 200 with the survivor, whose id is another
	LostIDGone     = "gone"     // not found
)

// How a batch read tells of ids that it didn't find.
const (
	BatchMissingErrors = "errors" // 207 with errors
	BatchMissingSilent = "silent" // 200 with fewer results
)

// What search makes of a filter on an unknown property.
const (
	UnknownFilterError   = "error"   // 400
	UnknownFilterNothing = "nothing" // no result
)

// portal is one account of HubSpot with its contacts.
type portal struct {
	id, user int
	name     string
	domain   string
	zone     *time.Location
	day      int // that the budget counts, in days since 1970; under HubSpot.mu
	contacts *records
	index    *searchIndex
	merges   *mergeBook
}

// company is the portal as the tokens know it.
func (p *portal) company() *company { return &company{id: p.id, user: p.user, name: p.name} }

// Portal is one of the HubSpot accounts that can be connected.
type Portal struct {
	ID       int    `json:"id"`
	UserID   int    `json:"user_id"`
	Name     string `json:"name"`
	Domain   string `json:"domain"`
	TimeZone string `json:"time_zone"`
	Contacts int    `json:"contacts"` // living ones
}

var portalZones = []string{"Europe/Berlin", "Europe/Paris", "America/Sao_Paulo"}

func newHubSpot(s *Sandbox, cfg Config) *HubSpot {
	h := &HubSpot{
		sandbox:  s,
		steering: steering{site: newSite(s, hubspotAnswers(), FaultRepeatCursor, FaultHalfPage, FaultEmptyList)},
		auth:     newAuthority(s.clock, cfg),
		settings: HubSpotSettings{
			ConsentPortal: DefaultPortal, Webhooks: true, Burst: 110, SearchBurst: 5, TokenLifeSeconds: 1800,
			TokenErrors: TokenErrorsByPath, Scope: "oauth crm.objects.contacts.read",
			MergeNewID: true, MergeMovesTime: true, LostID: LostIDSurvivor, BatchMissing: BatchMissingErrors,
			UnknownFilter:   UnknownFilterError,
			WebhookSettings: WebhookSettings{WebhookTimeoutMS: 5000, WebhookSpeed: 1, WebhookConcurrency: mostConcurrent},
		},
		budget:  budget{limit: Unlimited, spent: map[int]int{}},
		windows: map[string]*burst{},
	}
	h.outbox = newOutbox(s, h.site, h.settings.WebhookSettings)
	h.auth.idle = 0 // no end of an unused refresh token is documented
	for i := range cfg.Companies {
		p := &portal{
			id: DefaultPortal + i, user: 7001 + i, zone: time.UTC, merges: newMergeBook(), index: newSearchIndex(s.clock),
			name: fmt.Sprintf("Portal %d", i+1), domain: fmt.Sprintf("portal-%d.example", i+1),
			contacts: newMilliRecords(cfg.Contacts, cfg.Seed+uint64(i), s.clock.now()),
		}
		if i < len(companyNames) {
			p.name, p.domain = companyNames[i][0], companyNames[i][1]+".example"
		}
		if zone, err := time.LoadLocation(portalZones[i%len(portalZones)]); err == nil { // a bare machine may have none
			p.zone = zone
		}
		p.contacts.heard = func(was record, existed bool, _ record) { p.index.note(was, existed) }
		h.portals = append(h.portals, p)
	}
	return h
}

// Paths of the contacts and of the tokens: the version that the documents had
// until 2026, and the dated one that follows it with the same bodies.
var (
	hubspotContactPaths = []string{"/crm/v3/objects/contacts", "/crm/objects/2026-03/contacts"}
	hubspotTokenPaths   = []string{"/oauth/v3/token", "/oauth/2026-03/token"}
)

// handler serves the provider-relative paths.
func (h *HubSpot) handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /oauth/authorize", h.authorize)
	routes.HandleFunc("POST /oauth/authorize", h.decide)
	for _, path := range hubspotTokenPaths {
		routes.HandleFunc("POST "+path, h.token)
		routes.HandleFunc("POST "+path+"/introspect", h.introspect)
		routes.HandleFunc("POST "+path+"/revoke", h.revoke)
	}
	routes.HandleFunc("POST /oauth/v1/token", h.token)
	routes.HandleFunc("GET /oauth/v1/access-tokens/{token}", h.accessTokenInfo)
	routes.HandleFunc("DELETE /oauth/v1/refresh-tokens/{token}", h.deleteRefreshToken)
	for _, path := range hubspotContactPaths {
		routes.HandleFunc("GET "+path, h.api(scopeContacts, h.limitCalls, h.listContacts))
		routes.HandleFunc("GET "+path+"/{id}", h.api(scopeContacts, h.limitCalls, h.readContact))
		routes.HandleFunc("POST "+path+"/search", h.api(scopeContacts, h.limitSearch, h.searchContacts))
		routes.HandleFunc("POST "+path+"/batch/read", h.api(scopeContacts, h.limitCalls, h.batchRead))
	}
	routes.HandleFunc("GET /account-info/v3/details", h.api(scopeOAuth, h.limitCalls, h.accountInfo))
	routes.HandleFunc("DELETE /appinstalls/v3/external-install", h.api(scopeOAuth, h.limitCalls, h.uninstallOurselves))
	routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { hubspotNotFound("resource not found").write(w) })
	return h.site.wrap(routes)
}

// longestURI is how long the path and query of a request may be, in characters;
// longer ones are refused before they reach the API.
const longestURI = 8000

// portalSession is an API call whose token was good.
type portalSession struct {
	portal *portal
	grant  grant
}

// api puts what all API calls have in common before next: the length of the
// address, the token, the limits and the scope.
func (h *HubSpot) api(scope string, limit func(http.Header, *portal) *refusal, next func(http.ResponseWriter, *http.Request, portalSession)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.RequestURI()) > longestURI {
			uriTooLong(w)
			return
		}
		s, refused := h.authenticate(r)
		if refused != nil {
			refused.write(w)
			return
		}
		h.site.noteGrant(r, fmt.Sprintf("portal %d user %d", s.portal.id, s.grant.user))
		if refused := limit(w.Header(), s.portal); refused != nil {
			h.site.count(func(n *tally) { n.RateLimited++ })
			refused.write(w)
			return
		}
		if !slices.Contains(strings.Fields(s.grant.scope), scope) {
			missingScope(scope).write(w)
			return
		}
		next(w, r, s)
	}
}

// authenticate finds whose token came with r.
func (h *HubSpot) authenticate(r *http.Request) (portalSession, *refusal) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return portalSession{}, &invalidAuthentication
	}
	g, expired, ok := h.inspect(token)
	p := h.portal(g.company)
	switch {
	case !ok, g.dead, p == nil:
		return portalSession{}, &invalidAuthentication
	case expired:
		return portalSession{}, &expiredAuthentication
	}
	return portalSession{portal: p, grant: g}, nil
}

func (h *HubSpot) portal(id int) *portal {
	for _, p := range h.portals {
		if p.id == id || id == 0 {
			return p
		}
	}
	return nil
}

// portalOf finds a portal for the control; 0 is the first.
func (h *HubSpot) portalOf(id int) (*portal, error) {
	if p := h.portal(id); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no portal %d: there are %d to %d", id, DefaultPortal, DefaultPortal+len(h.portals)-1)
}

func (h *HubSpot) current() HubSpotSettings {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settings
}

// accountInfo is GET /account-info/v3/details.
func (h *HubSpot) accountInfo(w http.ResponseWriter, _ *http.Request, s portalSession) {
	_, offset := h.sandbox.Now().In(s.portal.zone).Zone()
	writeAPI(w, http.StatusOK, map[string]any{
		"portalId": s.portal.id, "accountType": "STANDARD", "timeZone": s.portal.zone.String(),
		"companyCurrency": "EUR", "additionalCurrencies": []string{},
		"utcOffset": h.sandbox.Now().In(s.portal.zone).Format("-07:00"), "utcOffsetMilliseconds": offset * 1000,
		"uiDomain": "app-eu1.hubspot.com", "dataHostingLocation": "eu1",
	})
}
