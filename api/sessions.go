package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// sessionLifetime is how long a browser stays signed in.
const sessionLifetime = 12 * time.Hour

// demoActor is who entered without a key, in dev.
const demoActor = "demo"

func (s *Server) mountSessions() error {
	if err := handle(s, operation{
		method: http.MethodPost, path: "/v1/session", access: accessOpen, id: "sign-in", tag: "Access", status: http.StatusCreated,
		summary:     "Sign a browser in",
		description: "Exchanges an API key or the admin key for a session cookie, which scripts of the page can't read.",
	}, s.signIn); err != nil {
		return err
	}
	if err := handle(s, operation{
		method: http.MethodDelete, path: "/v1/session", access: accessOpen, id: "sign-out", tag: "Access", status: http.StatusNoContent,
		summary: "Sign a browser out",
	}, s.signOut); err != nil {
		return err
	}
	if !s.opts.Dev {
		return nil
	}
	return handle(s, operation{
		method: http.MethodPost, path: "/v1/session/demo", access: accessLoopback, id: "enter-demo", tag: "Access", status: http.StatusCreated, hidden: true,
		summary: "Enter as the demo tenant's admin, in dev and from this machine only",
	}, s.enterDemo)
}

type signInInput struct {
	Body struct {
		APIKey string `json:"api_key" minLength:"1" maxLength:"500" doc:"An API key, or the admin key."`
	}
}

type sessionOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      meView
}

func (s *Server) signIn(ctx context.Context, in *signInInput) (*sessionOutput, error) {
	r := callOf(ctx).request
	if err := s.sameOrigin(r); err != nil { // nobody is signed in by another's page
		return nil, err
	}
	p, err := s.fromCredential(ctx, in.Body.APIKey)
	if err != nil {
		return nil, err
	}
	if p.ExpiresAt != (time.Time{}) { // a user's token: it has a session of its own
		return nil, unauthorized("Sign in with an API key; a user's token is sent with each request instead.")
	}
	return s.openSession(ctx, p)
}

func (s *Server) enterDemo(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
	if err := s.sameOrigin(callOf(ctx).request); err != nil {
		return nil, err
	}
	tenant, err := uuid.Parse(s.opts.DemoTenant)
	if err != nil {
		return nil, &fault{code: words.Internal, err: err}
	}
	return s.openSession(ctx, Principal{Tenant: tenant, Admin: true, Actor: demoActor})
}

func (s *Server) openSession(ctx context.Context, p Principal) (*sessionOutput, error) {
	id, session, err := s.store.CreateSession(ctx, store.Session{TenantID: p.Tenant, Admin: p.Admin, Actor: p.Actor}, sessionLifetime)
	if err != nil {
		return nil, err
	}
	p.ExpiresAt = session.ExpiresAt
	return &sessionOutput{SetCookie: s.cookie(id, int(sessionLifetime.Seconds())), Body: s.me(p)}, nil
}

type signOutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (s *Server) signOut(ctx context.Context, _ *struct{}) (*signOutOutput, error) {
	r := callOf(ctx).request
	if err := s.sameOrigin(r); err != nil {
		return nil, err
	}
	if cookie, err := r.Cookie(s.cookieName()); err == nil {
		if err := s.store.EndSession(ctx, cookie.Value); err != nil {
			return nil, err
		}
	}
	return &signOutOutput{SetCookie: s.cookie("", -1)}, nil
}

// cookieName has the prefix with which browsers refuse a cookie that was set without https, or by a sibling host.
func (s *Server) cookieName() string {
	if s.secure() {
		return "__Host-enlace_session"
	}
	return "enlace_session"
}

// cookie is Lax, not Strict: the browser comes back from a provider's consent by a navigation that the provider's page
// began, and must then be known. Writes are guarded by their origin.
func (s *Server) cookie(value string, maxAge int) http.Cookie {
	return http.Cookie{ //nolint:gosec // Secure wherever there is https
		Name: s.cookieName(), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode,
	}
}

// meView says who the caller is.
type meView struct {
	TenantID  *uuid.UUID `json:"tenant_id" doc:"Null for an admin who acts for no tenant in particular."`
	Admin     bool       `json:"admin"`
	Actor     string     `json:"actor"`
	ExpiresAt *time.Time `json:"expires_at" doc:"When the session or token ends; null: it doesn't."`
}

func (s *Server) me(p Principal) meView {
	m := meView{Admin: p.Admin, Actor: p.Actor}
	if p.Tenant != uuid.Nil {
		m.TenantID = &p.Tenant
	}
	if !p.ExpiresAt.IsZero() {
		m.ExpiresAt = &p.ExpiresAt
	}
	return m
}
