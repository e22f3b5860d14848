package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultOrg is the zgid of the Zoho organisation that a consent picks when
// nobody chooses; the others count on from it.
const DefaultOrg = 60010001

// Zoho is the fake of Zoho CRM (API v8): OAuth in every data centre, contacts by
// list, COQL and bulk read, their deletions, the org and its users, fields and
// notification channels. It is safe for concurrent use.
type Zoho struct {
	sandbox *Sandbox
	steering
	auth *zohoAuthority

	patching sync.Mutex // one PATCH at a time, since each begins with the current settings

	mu       sync.Mutex
	settings ZohoSettings
	orgs     []*zohoOrg
	credits  credits
	channels channels
	jobs     bulkJobs
}

// zohoOrg is one customer of Zoho with its contacts; it lives in one data centre.
type zohoOrg struct {
	index int
	zgid  int
	name  string
	dc    string
	zone  string

	contacts *records

	inFlight, inFlightMax, heavyInFlight int // guarded by Zoho.mu
}

// ZohoOrg is one of the organisations that can be connected.
type ZohoOrg struct {
	ID          int    `json:"id"`
	UserID      string `json:"user_id"`
	Name        string `json:"name"`
	DC          string `json:"dc"`
	Contacts    int    `json:"contacts"` // living ones
	CreditsUsed int    `json:"credits_used"`
	InFlightMax int    `json:"in_flight_max"`
}

// dataCentres are the names that Zoho gives its data centres in location, in the
// order that the sandbox's organisations live in them. [doc: Multi DC Support]
var dataCentres = []string{"eu", "us", "ca", "in", "au", "jp", "uk", "sa", "cn"}

// homeDC is the data centre where every consent begins.
const homeDC = "us"

var (
	zohoOrgNames = []string{"Norrsken \"AB\"", "Blue Harbour, Inc.", "Café Érable Ltée", "चाय & Co Pvt Ltd"}
	zohoOrgZones = []string{"Europe/Stockholm", "America/Los_Angeles", "America/Toronto", "Asia/Kolkata"}
)

// Record ids are numbers of 18 digits of which the first six are the org's; what
// isn't a contact counts from far above.
const (
	idSpace       = 1_000_000_000_000
	firstIDPrefix = 554023
	accountIDs    = 500_000_000_000
	tagIDs        = 600_000_000_000
	fieldIDs      = 700_000_000_000
	jobIDs        = 800_000_000_000
	userIDs       = 900_000_000_000
)

// recordID is the id of the org's n-th record.
func (o *zohoOrg) recordID(n int64) int64 { return (firstIDPrefix+int64(o.index))*idSpace + n }

// recordNumber is n of an id, 0 if it is no contact of this org.
func (o *zohoOrg) recordNumber(id int64) int64 {
	n := id - o.recordID(0)
	if n < 1 || n >= accountIDs {
		return 0
	}
	return n
}

func (o *zohoOrg) userID() string   { return fmt.Sprint(o.recordID(userIDs + 90001)) }
func (o *zohoOrg) userName() string { return fmt.Sprintf("Sandbox User %d", o.index+1) }
func (o *zohoOrg) userEmail() string {
	return fmt.Sprintf("user%d@example.com", o.index+1)
}

func newZoho(s *Sandbox, cfg Config) *Zoho {
	z := &Zoho{
		sandbox:  s,
		steering: steering{site: newSite(s, zohoAnswers(), FaultRepeatCursor, FaultHalfPage, FaultEmptyList, FaultNoCursor, FaultBulkFailure)},
		auth:     newZohoAuthority(s.clock, cfg),
		settings: defaultZohoSettings(),
		credits:  credits{limit: defaultCredits, byOrg: map[int]*spending{}, byPath: map[string]int{}},
		channels: channels{byID: map[channelKey]*channel{}},
		jobs:     bulkJobs{byID: map[string]*bulkJob{}},
	}
	z.outbox = newOutbox(s, z.site, z.settings.WebhookSettings)
	for i := range cfg.Companies {
		o := &zohoOrg{
			index: i, zgid: DefaultOrg + i, name: fmt.Sprintf("Organisation %d", i+1),
			dc: dataCentres[i%len(dataCentres)], zone: zohoOrgZones[i%len(zohoOrgZones)],
			contacts: newRecords(cfg.Contacts, cfg.Seed+uint64(i), s.clock.now()),
		}
		if i < len(zohoOrgNames) {
			o.name = zohoOrgNames[i]
		}
		z.orgs = append(z.orgs, o)
	}
	return z
}

// handler serves the provider-relative paths below /accounts and /api.
func (z *Zoho) handler() http.Handler {
	routes := http.NewServeMux()
	for _, method := range []string{"GET", "POST"} {
		routes.HandleFunc(method+" /oauth/v2/auth", z.unhurried(map[string]http.HandlerFunc{"GET": z.authorize, "POST": z.decide}[method]))
	}
	routes.HandleFunc("POST /oauth/v2/token", z.unhurried(z.token))
	routes.HandleFunc("POST /oauth/v2/token/revoke", z.unhurried(z.revoke))

	routes.HandleFunc("GET /crm/v8/Contacts", z.api(1, needContacts, z.listContacts))
	routes.HandleFunc("GET /crm/v8/Contacts/{id}", z.api(1, needContacts, z.readContact))
	routes.HandleFunc("GET /crm/v8/Contacts/actions/count", z.api(1, needContacts, z.countContacts))
	routes.HandleFunc("GET /crm/v8/Contacts/deleted", z.api(1, needContacts, z.listDeleted))
	routes.HandleFunc("POST /crm/v8/coql", z.priced(priceOfCOQL, needCOQL, z.queryContacts))
	routes.HandleFunc("POST /crm/bulk/v8/read", z.api(bulkPrice, needBulk, z.createBulk))
	routes.HandleFunc("GET /crm/bulk/v8/read/{id}", z.api(1, needBulk, z.readBulkJob))
	routes.HandleFunc("GET /crm/bulk/v8/read/{id}/result", z.api(1, needBulk, z.downloadBulk))
	routes.HandleFunc("GET /crm/v8/settings/fields", z.api(1, needFields, z.listFields))
	routes.HandleFunc("GET /crm/v8/org", z.api(1, needOrg, z.readOrg))
	routes.HandleFunc("GET /crm/v8/users", z.api(1, needUsers, z.listUsers))
	routes.HandleFunc("GET /crm/v8/actions/watch", z.api(1, needChannels("READ"), z.listChannels))
	routes.HandleFunc("POST /crm/v8/actions/watch", z.api(1, needChannels("CREATE"), z.watch(http.StatusCreated, enableChannel)))
	routes.HandleFunc("PUT /crm/v8/actions/watch", z.api(1, needChannels("UPDATE"), z.watch(http.StatusOK, updateChannel)))
	routes.HandleFunc("PATCH /crm/v8/actions/watch", z.api(1, needChannels("UPDATE"), z.watch(http.StatusOK, patchChannel)))
	routes.HandleFunc("DELETE /crm/v8/actions/watch", z.api(1, needChannels("DELETE"), z.deleteChannels))
	routes.HandleFunc("GET /crm/v8/{module}", z.api(1, needContacts, z.otherModule))
	routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { invalidURL.write(w) })
	return z.byHost(z.site.wrap(routes))
}

// byHost tells the hosts of the data centres apart by the beginning of the path,
// and hands on the path as the provider names it.
func (z *Zoho) byHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		dc := homeDC
		if named, rest, _ := strings.Cut(path, "/"); slices.Contains(dataCentres, named) {
			dc, path = named, rest
		}
		path = "/" + path
		if served := map[bool]string{true: "accounts", false: "api"}[strings.HasPrefix(path, "/oauth/")]; host != served {
			path = "/not-served" + path
		}
		r = r.Clone(context.WithValue(r.Context(), dcKey{}, dc))
		r.URL.Path, r.URL.RawPath = path, ""
		next.ServeHTTP(w, r)
	})
}

type dcKey struct{}

// dcOf is the data centre whose host was called.
func dcOf(r *http.Request) string {
	dc, _ := r.Context().Value(dcKey{}).(string)
	return dc
}

// accountsHost and apiHost are where a data centre is reached. r may be nil.
func (z *Zoho) accountsHost(r *http.Request, dc string) string {
	return z.sandbox.base(r) + "/sandbox/zoho/accounts/" + dc
}

func (z *Zoho) apiHost(r *http.Request, dc string) string {
	return z.sandbox.base(r) + "/sandbox/zoho/api/" + dc
}

// unhurried answers after the latency that is set. The API waits in api, inside
// of an org's concurrency, so the site itself does not.
func (z *Zoho) unhurried(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if z.site.hold(r, z.latency()) {
			h(w, r)
		}
	}
}

func (z *Zoho) latency() time.Duration {
	return time.Duration(z.current().LatencyMS) * time.Millisecond
}

// zohoSession is an API call whose token was good.
type zohoSession struct {
	org      *zohoOrg
	user     string
	settings ZohoSettings
}

// zohoHandler answers an API call.
type zohoHandler func(http.ResponseWriter, *http.Request, zohoSession)

// api puts what all API calls have in common before h: the token and its data
// centre, the limits and the scopes, of which the grant needs one of each list.
func (z *Zoho) api(cost int, scopes [][]string, h zohoHandler) http.HandlerFunc {
	return z.priced(func(*http.Request) int { return cost }, scopes, h)
}

func (z *Zoho) priced(cost func(*http.Request) int, scopes [][]string, h zohoHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		settings := z.current()
		g, refused := z.authenticate(r, settings)
		if refused != nil {
			refused.write(w)
			return
		}
		z.site.noteGrant(r, g.name())
		leave, ok := z.occupy(g.org, isHeavy(routeOf(r)), settings)
		if !ok {
			z.site.count(func(n *tally) { n.RateLimited++ })
			z.showCredits(w.Header(), g.org)
			tooManyRequests.write(w)
			return
		}
		defer leave()
		if !z.site.hold(r, z.latency()) {
			return
		}
		switch {
		case !scopesCover(g.scopes, scopes):
			scopeMismatchZoho.write(w)
		case !z.spend(w.Header(), g.org, routeOf(r), cost(r)):
			z.site.count(func(n *tally) { n.RateLimited++ })
			tooManyRequests.write(w)
		default:
			h(w, r, zohoSession{org: g.org, user: g.org.userID(), settings: settings})
		}
	}
}

// routeOf is the path of the pattern that took r.
func routeOf(r *http.Request) string {
	_, path, _ := strings.Cut(r.Pattern, " ")
	return path
}

// authenticate judges the token of an API call.
func (z *Zoho) authenticate(r *http.Request, settings ZohoSettings) (zohoAccess, *zohoRefusal) {
	header := r.Header.Get("Authorization")
	token, ok := strings.CutPrefix(header, "Zoho-oauthtoken ")
	if !ok && settings.AcceptBearer {
		token, ok = strings.CutPrefix(header, "Bearer ")
	}
	if !ok || token == "" {
		return zohoAccess{}, &authenticationFailure
	}
	index, g, ok := z.auth.verify(token, settings.LiveAccessTokens)
	if !ok || index >= len(z.orgs) || z.orgs[index].dc != dcOf(r) {
		return zohoAccess{}, &invalidToken
	}
	return zohoAccess{org: z.orgs[index], scopes: g.scopes}, nil
}

// zohoAccess is what an access token opens.
type zohoAccess struct {
	org    *zohoOrg
	scopes scopeSet
}

func (a zohoAccess) name() string { return a.org.grantName() }

func (o *zohoOrg) grantName() string { return fmt.Sprintf("org %d user %s", o.zgid, o.userID()) }

// org finds an organisation by its zgid; 0 is the first.
func (z *Zoho) org(zgid int) (*zohoOrg, error) {
	for _, o := range z.orgs {
		if o.zgid == zgid || zgid == 0 {
			return o, nil
		}
	}
	return nil, fmt.Errorf("no org %d: there are %d to %d", zgid, DefaultOrg, DefaultOrg+len(z.orgs)-1)
}

func (z *Zoho) current() ZohoSettings {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.settings
}
