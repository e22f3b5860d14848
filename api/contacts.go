package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

func (s *Server) mountContacts() error {
	return handle(s, operation{
		method: http.MethodGet, path: "/v1/contacts", access: accessTenant, id: "list-contacts", tag: "Contacts", summary: "List or search contacts",
	}, s.listContacts)
}

type listContactsInput struct {
	PageQuery

	IntegrationID string `query:"integration_id" doc:"Only of this integration."`
	Search        string `query:"q" maxLength:"200" doc:"Part of a name, e-mail address or phone number."`
	Deleted       bool   `query:"deleted" doc:"Those that the provider has deleted too."`
}

type contactsOutput struct{ Body page[store.Contact] }

func (s *Server) listContacts(ctx context.Context, in *listContactsInput) (*contactsOutput, error) {
	tenant, err := oneTenant(callOf(ctx).principal)
	if err != nil {
		return nil, err
	}
	integration, err := queryID("integration_id", in.IntegrationID)
	if err != nil {
		return nil, err
	}
	var after *uuid.UUID
	if err := in.read(&after); err != nil {
		return nil, err
	}
	rows, err := s.store.ListContacts(ctx, store.ContactFilter{
		Tenant: tenant, Integration: integration, Deleted: in.Deleted, Search: in.Search,
	}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(in.PageQuery, rows, rows, func(c store.Contact) any { return c.ID })
	return &contactsOutput{p}, err
}

// oneTenant is the tenant that a caller acts for; an admin must name one where a list is a tenant's own.
func oneTenant(p Principal) (uuid.UUID, error) {
	if p.Tenant == uuid.Nil {
		return p.Tenant, invalid(tenantHeader, words.PhraseRequired, "")
	}
	return p.Tenant, nil
}
