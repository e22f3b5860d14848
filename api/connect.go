package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// connectLifetime is how long a connect session waits for its browser, and a consent for the person's decision.
const connectLifetime = 10 * time.Minute

// The two ends of the way through a provider's consent page. The second is registered at the provider.
const (
	initiatePath = functionsPrefix + "initiate-oauth"
	callbackPath = functionsPrefix + "oauth-callback"
)

// mountConnect mounts the way through a provider's consent. A browser's navigation carries no header: what it may do, its
// one-time token, its session or its state says.
func (s *Server) mountConnect() error {
	return errors.Join(
		handle(s, operation{
			method: http.MethodPost, path: "/v1/connect-sessions", access: accessTenant, id: "create-connect-session", tag: "Connecting", status: http.StatusCreated,
			summary: "Begin to connect an account",
			description: "Send the person's browser to the url, once, within ten minutes: it goes on to the provider's consent page and comes back to the dashboard " +
				"with ?enlace_result=<result>&provider=<provider>. Repeated under the same Idempotency-Key, the request is refused with 409: the url is not kept.",
		}, s.createConnectSession),
		s.mountRoutes(
			route{method: http.MethodGet, path: initiatePath, access: accessSigned, handler: navigation(s.initiate)},
			route{method: http.MethodGet, path: callbackPath, access: accessSigned, handler: navigation(s.callback)},
			route{method: http.MethodDelete, path: callbackPath, access: accessSigned, handler: http.HandlerFunc(s.uninstalled)},
		),
	)
}

// navigation keeps an address with a secret in it to itself, and leaves the secret unused where a browser or a mail scanner
// only looks ahead.
func navigation(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		purpose := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose") + r.Header.Get("X-Moz")
		if r.Method != http.MethodGet || strings.Contains(purpose, "prefetch") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next(w, r)
	})
}

type connectSessionInput struct {
	IdempotencyHeader

	Body struct {
		Provider      string `json:"provider" minLength:"1" maxLength:"50" doc:"Such as pipedrive."`
		IntegrationID string `json:"integration_id,omitempty" doc:"The integration that is to be reconnected."`
	}
}

type connectSessionOutput struct {
	Body struct {
		URL       string    `json:"url" format:"uri" doc:"Where to send the browser. It works once."`
		ExpiresAt time.Time `json:"expires_at"`

		Warning *connectWarning `json:"warning" doc:"What the consent would end; null: nothing. Ask the person before you send the browser."`
	}
}

// connectWarning says that another consent would end an older one: the provider keeps only so many of a user.
type connectWarning struct {
	Title    string   `json:"title"`
	Sentence string   `json:"sentence"`
	Buttons  []string `json:"buttons" nullable:"false"`

	Number          int64      `json:"number" doc:"Which one of the user's permissions the new one would be."`
	Kept            int64      `json:"kept" doc:"How many the provider keeps."`
	OldestID        *uuid.UUID `json:"oldest_integration_id" doc:"Whose permission would end, if it is the caller's."`
	OldestGrantedAt time.Time  `json:"oldest_granted_at"`
}

func (*connectSessionOutput) shownOnce() {}

func (s *Server) createConnectSession(ctx context.Context, in *connectSessionInput) (*connectSessionOutput, error) {
	if s.oauthOf(in.Body.Provider) == nil {
		return nil, invalid("provider", words.PhraseOneOf, strings.Join(s.connectable(), ", "))
	}
	p := callOf(ctx).principal
	c := store.Connect{TenantID: p.Tenant, Provider: in.Body.Provider, Actor: p.Actor}
	if in.Body.IntegrationID != "" {
		wanted, err := s.wanted(ctx, in.Body.Provider, in.Body.IntegrationID)
		if err != nil {
			return nil, err
		}
		c.TenantID, c.Wanted = wanted.TenantID, &wanted.ID
	}
	if c.TenantID == uuid.Nil {
		return nil, invalid(tenantHeader, words.PhraseRequired, "")
	}
	warning, err := s.connectWarning(ctx, c)
	if err != nil {
		return nil, err
	}
	return onceBeside(ctx, s, in.IdempotencyKey, func(ctx context.Context) (*connectSessionOutput, error) {
		out, err := s.openConnect(ctx, c)
		if err == nil {
			out.Body.Warning = warning
		}
		return out, err
	})
}

func (s *Server) openConnect(ctx context.Context, c store.Connect) (*connectSessionOutput, error) {
	token, expiresAt, err := s.store.CreateConnectSession(ctx, c, connectLifetime)
	if err != nil {
		return nil, err
	}
	out := &connectSessionOutput{}
	out.Body.ExpiresAt = expiresAt
	url := s.publicURL.JoinPath(initiatePath)
	query := url.Query()
	query.Set("provider", c.Provider)
	query.Set("connect", token)
	url.RawQuery = query.Encode()
	out.Body.URL = url.String()
	return out, nil
}

// wanted reads the integration that is to be reconnected.
func (s *Server) wanted(ctx context.Context, provider, text string) (store.Integration, error) {
	id, err := pathID(text)
	if err != nil {
		return store.Integration{}, err
	}
	i, err := s.readIntegration(ctx, id)
	if err != nil {
		return store.Integration{}, err
	}
	if i.Provider != provider {
		return store.Integration{}, invalid("provider", words.PhraseOneOf, i.Provider)
	}
	return i, nil
}

// oauthOf is how accounts of a provider are connected; nil: not here.
func (s *Server) oauthOf(provider string) *providers.OAuth {
	if p := s.providers[provider]; p != nil {
		return p.OAuth
	}
	return nil
}

// connectable names the providers whose accounts can be connected here.
func (s *Server) connectable() []string {
	var names []string
	for name, p := range s.providers {
		if p.OAuth != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// connectWarning looks whether the reconnect of an integration would push out another permission of its user.
func (s *Server) connectWarning(ctx context.Context, c store.Connect) (*connectWarning, error) {
	kept := s.oauthOf(c.Provider).KeptTokens
	if kept == 0 || c.Wanted == nil {
		return nil, nil //nolint:nilnil // nothing is to be warned of
	}
	i, err := s.store.AnyIntegration(ctx, *c.Wanted)
	if err != nil || i.ExternalAccountID == nil {
		return nil, err
	}
	live, err := s.store.LiveTokens(ctx, c.Provider, *i.ExternalAccountID)
	if err != nil || len(live) < kept {
		return nil, err
	}
	oldest := live[0]
	if oldest.IntegrationID != nil && *oldest.IntegrationID == i.ID { // it is about to be replaced anyway
		return nil, nil //nolint:nilnil // the same
	}
	w := &connectWarning{Number: int64(len(live)) + 1, Kept: int64(kept), OldestGrantedAt: oldest.GrantedAt}
	args := s.argsOf(i)
	args.Count, args.Name = &w.Number, s.providerTitle(c.Provider)
	if oldest.TenantID != nil && *oldest.TenantID == i.TenantID { // another tenant's is nobody's business
		w.OldestID, args.Name = oldest.IntegrationID, value(oldest.AccountName)
	}
	text := words.Confirmation(callOf(ctx).lang, words.AskReconnectZoho, args)
	w.Title, w.Sentence, w.Buttons = text.Title, text.Sentence, text.Buttons
	return w, nil
}
