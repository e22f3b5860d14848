package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"example.com/enlace/store"
)

func (s *Server) mountKeys() error {
	const tag = "Access"
	return errors.Join(
		handle(s, operation{
			method: http.MethodGet, path: "/v1/me", access: accessTenant, id: "read-me", tag: tag, summary: "Read who the caller is",
		}, s.readMe),
		handle(s, operation{
			method: http.MethodPost, path: "/v1/api-keys", access: accessTenant, id: "create-api-key", tag: tag, status: http.StatusCreated,
			summary: "Create an API key", description: "The key itself is in this answer and nowhere else: repeated under the same Idempotency-Key, the request is refused with 409.",
		}, s.createKey),
		handle(s, operation{
			method: http.MethodGet, path: "/v1/api-keys", access: accessTenant, id: "list-api-keys", tag: tag, summary: "List API keys, newest first",
		}, s.listKeys),
		handle(s, operation{
			method: http.MethodDelete, path: "/v1/api-keys/{id}", access: accessTenant, id: "revoke-api-key", tag: tag,
			summary: "Revoke an API key", description: "Whatever uses it is refused at once; browsers that signed in with it are signed out.",
		}, s.revokeKey),
	)
}

type meOutput struct{ Body meView }

func (s *Server) readMe(ctx context.Context, _ *struct{}) (*meOutput, error) {
	return &meOutput{s.me(callOf(ctx).principal)}, nil
}

type createKeyInput struct {
	IdempotencyHeader

	Body struct {
		Name  string `json:"name" minLength:"1" maxLength:"100"`
		Admin bool   `json:"admin,omitempty" doc:"May reach every tenant. Only an admin makes such a key."`
	}
}

// newKeyView is a key on the one occasion when it is seen.
type newKeyView struct {
	store.APIKey

	Key string `json:"key" doc:"Shown once."`
}

type createKeyOutput struct{ Body newKeyView }

func (*createKeyOutput) shownOnce() {}

func (s *Server) createKey(ctx context.Context, in *createKeyInput) (*createKeyOutput, error) {
	p := callOf(ctx).principal
	tenant, err := oneTenant(p)
	if err != nil {
		return nil, err
	}
	if in.Body.Admin && !p.Admin {
		return nil, forbidden("admin")
	}
	return once(ctx, s, in.IdempotencyKey, func(ctx context.Context, tx pgx.Tx) (*createKeyOutput, error) {
		key := store.NewKey()
		stored, err := s.store.AddAPIKey(ctx, tx, store.NewAPIKey{TenantID: tenant, Name: in.Body.Name, Admin: in.Body.Admin, CreatedBy: p.Actor, Key: key})
		if err != nil {
			return nil, err
		}
		return &createKeyOutput{newKeyView{stored, key}}, s.store.Audit(ctx, tx, keyAudit(p, stored, "key.create"))
	})
}

// keyReach leaves the keys that reach every tenant to admins, whomever they were made for.
func keyReach(p Principal) *store.KeyReach { return &store.KeyReach{Tenant: p.scope(), Admin: p.Admin} }

type keysOutput struct{ Body page[store.APIKey] }

func (s *Server) listKeys(ctx context.Context, in *PageQuery) (*keysOutput, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	rows, err := s.store.ListAPIKeys(ctx, keyReach(callOf(ctx).principal), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(*in, rows, rows, func(k store.APIKey) any { return store.After{At: k.CreatedAt, ID: k.ID} })
	return &keysOutput{p}, err
}

type revokeKeyInput struct {
	ID string `path:"id"`
}

type keyOutput struct{ Body store.APIKey }

func (s *Server) revokeKey(ctx context.Context, in *revokeKeyInput) (*keyOutput, error) {
	id, err := pathID(in.ID)
	if err != nil {
		return nil, err
	}
	p := callOf(ctx).principal
	revoked, err := s.store.RevokeAPIKey(ctx, keyReach(p), id)
	if err != nil {
		return nil, err
	}
	return &keyOutput{revoked}, s.store.Audit(context.WithoutCancel(ctx), nil, keyAudit(p, revoked, "key.revoke"))
}

func keyAudit(p Principal, k store.APIKey, action string) store.Audit {
	return store.Audit{TenantID: &k.TenantID, Actor: p.Actor, Action: action, Subject: k.ID.String()}
}
