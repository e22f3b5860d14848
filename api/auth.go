package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// Principal is who calls.
type Principal struct {
	// Tenant is whose rows the caller reaches. Zero for an admin who acts for no tenant in particular, and for nobody.
	Tenant uuid.UUID
	Admin  bool
	Actor  string // "key:…", "user:…", "admin", "demo"; empty: nobody

	ExpiresAt time.Time // of the token or session; zero: it doesn't expire
	ambient   bool      // known by a cookie, which a browser also sends when another site asks it to
}

// scope is the tenant that queries are narrowed to; nil: an admin sees all.
func (p Principal) scope() *uuid.UUID {
	if p.Tenant == uuid.Nil && p.Admin {
		return nil
	}
	return &p.Tenant
}

// adminActor is who acts with the admin key.
const adminActor = "admin"

// tenantHeader names the tenant that an admin acts for.
const tenantHeader = "X-Enlace-Tenant"

func adminKeyHash(key string) [32]byte { return sha256.Sum256([]byte(key)) }

func (s *Server) isAdminKey(key string) bool {
	hash := adminKeyHash(key)
	return s.opts.AdminKey != "" && subtle.ConstantTimeCompare(hash[:], s.adminKey[:]) == 1
}

// devActor is who calls with the key of `enlace dev`.
const devActor = "dev"

// isDevKey knows the key that everybody may know, since it is never stored and opens what listens on one's own machine.
func (s *Server) isDevKey(key string) bool {
	return s.opts.Dev && s.opts.DevKey != "" && subtle.ConstantTimeCompare([]byte(key), []byte(s.opts.DevKey)) == 1
}

// guard enforces a route's access rule before anything else of the route runs.
func (s *Server) guard(r route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		principal, err := s.admit(r.access, req)
		if err != nil {
			s.fail(w, req, err)
			return
		}
		callOf(req.Context()).principal = principal
		next.ServeHTTP(w, req)
	})
}

// admit decides whether a request may reach a route, and as whom.
func (s *Server) admit(rule access, r *http.Request) (Principal, error) {
	if s.opts.Dev && !fromLoopback(r) { // a page elsewhere whose name was made to point here
		return Principal{}, &fault{code: codeNotFound}
	}
	switch rule {
	case accessOpen, accessSigned:
		return Principal{}, nil
	case accessLoopback:
		if !s.opts.Dev {
			return Principal{}, &fault{code: codeNotFound}
		}
		return Principal{}, nil
	case accessTenant, accessAdmin:
	default:
		return Principal{}, &fault{code: words.Forbidden}
	}
	principal, err := s.authenticate(r)
	if err != nil {
		return Principal{}, err
	}
	if principal.ambient {
		if err := s.sameOrigin(r); err != nil {
			return Principal{}, err
		}
	}
	if rule == accessAdmin && !principal.Admin {
		return Principal{}, forbidden("admin")
	}
	return s.actFor(principal, r)
}

func forbidden(needs string) *fault {
	return &fault{code: words.Forbidden, args: words.Args{Name: needs}}
}

// actFor lets an admin act for a tenant. Anybody else names their own, or none.
func (s *Server) actFor(p Principal, r *http.Request) (Principal, error) {
	named := r.Header.Get(tenantHeader)
	if named == "" && p.Admin {
		named = r.URL.Query().Get("tenant_id")
	}
	if named == "" {
		return p, nil
	}
	tenant, err := uuid.Parse(named)
	if err != nil {
		return Principal{}, invalid(tenantHeader, words.PhraseFormat, exampleID)
	}
	if tenant != p.Tenant && !p.Admin {
		return Principal{}, forbidden("admin")
	}
	p.Tenant = tenant
	return p, nil
}

// sameOrigin refuses a write that a page of another site has a browser send along with our cookie.
func (s *Server) sameOrigin(r *http.Request) error {
	if err := s.crossOrigin.Check(r); err != nil {
		return &fault{code: words.Forbidden, args: words.Args{Name: "origin"}, err: err}
	}
	return nil
}

// fromLoopback reports whether a request came from this machine and was meant for it: a page elsewhere whose name was
// made to point here says its own name in Host, and a proxy says whom it speaks for.
func fromLoopback(r *http.Request) bool {
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	remote, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !isLoopback(remote) {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return host == "localhost" || isLoopback(strings.Trim(host, "[]"))
}

func isLoopback(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsLoopback()
}

// authenticate finds out who calls. A header that says it decides, the cookie only where there is none.
func (s *Server) authenticate(r *http.Request) (Principal, error) {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	credential = strings.TrimSpace(credential)
	switch {
	case credential != "" && strings.EqualFold(scheme, "Bearer"):
	case r.Header.Get("Authorization") != "":
		return Principal{}, unauthorized(`Authorization must be "Bearer" and an API key, the admin key or a user's access token.`)
	default:
		credential = r.Header.Get("Apikey")
	}
	if credential == "" {
		return s.fromCookie(r)
	}
	return s.fromCredential(r.Context(), credential)
}

// unauthorized is the refusal of somebody unknown.
func unauthorized(hint string) *fault {
	return &fault{code: words.Unauthorized, hint: hint, header: http.Header{"Www-Authenticate": {`Bearer realm="enlace"`}}}
}

// fromCredential knows a caller by an API key, the admin key or a user's token.
func (s *Server) fromCredential(ctx context.Context, credential string) (Principal, error) {
	switch {
	case s.isAdminKey(credential):
		return Principal{Admin: true, Actor: adminActor}, nil
	case s.isDevKey(credential):
		tenant, err := uuid.Parse(s.opts.DemoTenant)
		return Principal{Tenant: tenant, Admin: true, Actor: devActor}, err
	case strings.HasPrefix(credential, store.KeyPrefix):
		return s.fromKey(ctx, credential)
	case strings.HasPrefix(credential, "sb_"):
		return Principal{}, unauthorized("This is the project's own key, not a user's session: sign the user in, then call again.")
	case strings.Count(credential, ".") == 2:
		return s.tokens.principal(ctx, credential)
	}
	return Principal{}, unauthorized("The key is of no known kind: enlace's own begin with " + store.KeyPrefix + ".")
}

func (s *Server) fromKey(ctx context.Context, key string) (Principal, error) {
	found, err := s.store.FindAPIKey(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, unauthorized("The API key doesn't exist, or was revoked.")
	}
	if err != nil {
		return Principal{}, err
	}
	return Principal{Tenant: found.TenantID, Admin: found.Admin, Actor: store.KeyActor(found.ID)}, nil
}

// fromCookie knows a browser by its session.
func (s *Server) fromCookie(r *http.Request) (Principal, error) {
	cookie, err := r.Cookie(s.cookieName())
	if err != nil || cookie.Value == "" {
		return Principal{}, unauthorized("")
	}
	session, err := s.store.FindSession(r.Context(), cookie.Value)
	if errors.Is(err, store.ErrNotFound) {
		return Principal{}, unauthorized("")
	}
	if err != nil {
		return Principal{}, err
	}
	return Principal{
		Tenant: session.TenantID, Admin: session.Admin, Actor: session.Actor, ExpiresAt: session.ExpiresAt, ambient: true,
	}, nil
}
