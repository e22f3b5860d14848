package pipedrive

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

// webhookUser is the user of Basic auth by which a notification comes; only the password is secret.
const webhookUser = "enlace"

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

func (cfg Config) changes() *providers.Changes {
	return &providers.Changes{Subscribe: cfg.subscribe, Unsubscribe: cfg.unsubscribe, Read: readNotification}
}

// subscribe keeps one subscription to all that happens to persons. It looks for it first: a creation whose answer was
// lost would pile up, and there are 40 for a user [doc: Guide for Webhooks v2].
func (cfg Config) subscribe(ctx context.Context, account providers.Account, client *http.Client, s providers.Subscription) (providers.Subscription, error) {
	list, err := call[[]webhook](ctx, cfg, account, client, "pipedrive: list webhooks", providers.Request{})
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
		if err := cfg.unsubscribe(ctx, account, client, providers.Subscription{ID: string(w.ID)}); err != nil {
			return s, err
		}
	}
	if s.ID != "" {
		return s, nil
	}
	made, err := call[webhook](ctx, cfg, account, client, "pipedrive: create a webhook", providers.Request{Method: http.MethodPost, Body: map[string]any{
		"subscription_url": s.URL, "event_action": "*", "event_object": "person", "version": "2.0", "name": "enlace contacts",
		"http_auth_user": webhookUser, "http_auth_password": s.Secret,
	}})
	s.ID = string(made.ID)
	return s, err
}

func (cfg Config) unsubscribe(ctx context.Context, account providers.Account, client *http.Client, s providers.Subscription) error {
	_, err := call[jsontext.Value](ctx, cfg, account, client, "pipedrive: delete a webhook", providers.Request{Method: http.MethodDelete, URL: "/" + s.ID})
	if providers.KindOf(err) == providers.NotFound {
		return nil
	}
	return err
}

// call asks for webhooks; the request's URL is what follows theirs. Who may not have them, by permission or by number, is
// no refused connection: contacts go on being read.
func call[T any](ctx context.Context, cfg Config, account providers.Account, client *http.Client, op string, r providers.Request) (data T, err error) {
	a := ask{op: op, record: r.URL != "", everWorked: account.EverWorked}
	r.URL = cfg.base(account) + "/api/v1/webhooks" + r.URL
	answer, err := providers.NewHTTP(client, cfg.Timeout).Do(ctx, op, r)
	if err != nil {
		return data, err
	}
	if answer.JSON() && (answer.Status == http.StatusForbidden || answer.Status == http.StatusUnprocessableEntity) {
		e := told(answer, a)
		e.Kind, e.Err = providers.InvalidRequest, providers.ErrNoNotifications
		return data, e
	}
	body, err := decode[T](answer, a)
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
	_, secret, ok := (&http.Request{Header: n.Header}).BasicAuth()
	if !ok || !providers.SameSecret(secret, n.Secret) {
		return nil, providers.ErrUnverified
	}
	var event notification
	if err := json.Unmarshal(providers.CleanJSON(n.Body), &event, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, fmt.Errorf("pipedrive: read a notification: %w", errShape) // the cause repeats values
	}
	m := event.Meta
	if m.Entity != "person" {
		return nil, nil
	}
	if m.EntityID == "" {
		return nil, fmt.Errorf("pipedrive: read a notification: %w", errShape)
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

var errShape = errors.New("it is no event of a person")
