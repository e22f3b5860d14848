package pipedrive

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// webhookUser is the user of Basic auth by which a notification comes; only the password is secret.
const webhookUser = "enlace"

// pathWebhooks stays in v1 [doc].
const pathWebhooks = "/api/v1/webhooks"

// webhook is a subscription as API v1 lists it, as far as it is kept.
type webhook struct {
	ID       providers.Text `json:"id"`
	URL      string         `json:"subscription_url"`
	IsActive *int           `json:"is_active"`
	Password *string        `json:"http_auth_password"`
}

// serves reports whether it is the wanted one, as it must be.
func (w webhook) serves(s providers.Subscription) bool {
	return (w.IsActive == nil || *w.IsActive != 0) && (w.Password == nil || *w.Password == "" || *w.Password == s.Secret)
}

func changes(api *providers.API) *providers.Changes {
	return &providers.Changes{
		Subscribe: func(
			ctx context.Context, account providers.Account, client *http.Client, s providers.Subscription,
		) (providers.Subscription, error) {
			return subscribe(ctx, api.For(account, client), s)
		},
		Unsubscribe: func(ctx context.Context, account providers.Account, client *http.Client, s providers.Subscription) error {
			return unsubscribe(ctx, api.For(account, client), s.ID)
		},
		Read: readNotification,
	}
}

// subscribe keeps one subscription to all that happens to persons. It looks for it first: a creation whose answer was
// lost would pile up, and there are 40 for a user [doc: Guide for Webhooks v2].
func subscribe(ctx context.Context, api *providers.Caller, s providers.Subscription) (providers.Subscription, error) {
	list, err := call[[]webhook](ctx, api, providers.Ask{Op: "list webhooks", Path: pathWebhooks})
	if err != nil {
		return s, err
	}
	s.ID = ""
	for _, w := range list {
		if w.URL != s.URL {
			continue
		}
		if s.ID == "" && w.serves(s) {
			s.ID = string(w.ID)
			continue
		}
		if err := unsubscribe(ctx, api, string(w.ID)); err != nil {
			return s, err
		}
	}
	if s.ID != "" {
		return s, nil
	}
	order := map[string]any{
		"subscription_url": s.URL, "event_action": "*", "event_object": "person", "version": "2.0", "name": "enlace contacts",
		"http_auth_user": webhookUser, "http_auth_password": s.Secret,
	}
	made, err := call[webhook](ctx, api, providers.Ask{Op: "create a webhook", Method: http.MethodPost, Path: pathWebhooks, Body: order})
	s.ID = string(made.ID)
	return s, err
}

func unsubscribe(ctx context.Context, api *providers.Caller, id string) error {
	ask := providers.Ask{Op: "delete a webhook", Method: http.MethodDelete, Path: pathWebhooks + "/" + id, Record: true}
	_, err := call[jsontext.Value](ctx, api, ask)
	if providers.KindOf(err) == providers.NotFound {
		return nil
	}
	return err
}

// call asks for webhooks. Who may not have them, by permission or by number, is no refused connection: contacts go on
// being read.
func call[T any](ctx context.Context, api *providers.Caller, ask providers.Ask) (T, error) {
	var body struct {
		Data T `json:"data"`
	}
	_, err := api.Ask(ctx, ask, &body)
	e, ok := errors.AsType[*providers.Error](err)
	if ok && (e.Status == http.StatusForbidden && e.Kind != providers.RateLimited || e.Status == http.StatusUnprocessableEntity) {
		e.Become(providers.InvalidRequest, "", 0)
		e.Err = providers.ErrNoNotifications
	}
	return body.Data, err
}

// notification is a delivery of version 2.0 as far as it is read: its data is a digest, and no person.
type notification struct {
	Meta struct {
		ID         providers.Text `json:"id"` // the same over all attempts [doc]
		Action     string         `json:"action"`
		Entity     string         `json:"entity"`
		EntityID   providers.Text `json:"entity_id"`
		MergedTo   providers.Text `json:"merged_to_id"`
		MergedFrom providers.Text `json:"merged_from_id"`
	} `json:"meta"`
}

// readNotification reads a delivery, which proves itself by Basic auth alone [doc]. A merge is two events; each names the
// other person too.
func readNotification(n providers.Notification) ([]providers.Change, error) {
	if !providers.BasicAuth(n.Header, webhookUser, n.Secret) {
		return nil, providers.ErrUnverified
	}
	var event notification
	err := json.Unmarshal(providers.CleanJSON(n.Body), &event, jsontext.AllowDuplicateNames(true))
	m := event.Meta
	switch {
	case err != nil, m.Entity == "person" && m.EntityID == "": // the cause would repeat values
		return nil, errors.New("pipedrive: read a notification: it is no event of a person")
	case m.Entity != "person":
		return nil, nil
	}
	list := []providers.Change{{Key: string(m.ID), ExternalIDs: []string{string(m.EntityID)}, Deleted: m.Action == "delete"}}
	if m.MergedTo != "" {
		list = append(list, providers.Change{Key: string(m.ID), ExternalIDs: []string{string(m.MergedTo)}})
	}
	if m.MergedFrom != "" {
		list = append(list, providers.Change{Key: string(m.ID), ExternalIDs: []string{string(m.MergedFrom)}, Deleted: true})
	}
	return list, nil
}
