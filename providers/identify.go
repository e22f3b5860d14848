package providers

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Identify is [OAuth.Identify] by one answer of the API. An answer in which read finds no id is [SchemaChanged]; an
// account without a name is called by its id.
func (api *API) Identify(
	path string, read func(body jsontext.Value) Identity,
) func(ctx context.Context, account Account, client *http.Client) (Identity, error) {
	return func(ctx context.Context, account Account, client *http.Client) (Identity, error) {
		c, ask := api.For(account, client), Ask{Op: "read account", Path: path}
		var body jsontext.Value
		if _, err := c.Ask(ctx, ask, &body); err != nil {
			return Identity{}, err
		}
		identity := read(body)
		if identity.ExternalID == "" {
			return Identity{}, c.Unexpected(ask, "the answer does not name the account")
		}
		identity.Name = cmp.Or(identity.Name, identity.ExternalID)
		return identity, nil
	}
}

// OuterAccount is the outer part of an [AccountID]: the budget of many providers is the company's, whoever of it asks.
func OuterAccount(externalID string) string {
	outer, _, _ := strings.Cut(externalID, ":")
	return outer
}

// AccountID is [Identity.ExternalID] of an account that is one thing in another, such as a user in a company; empty if
// either is missing.
func AccountID(outer, inner string) string {
	if outer == "" || inner == "" {
		return ""
	}
	return outer + ":" + inner
}
