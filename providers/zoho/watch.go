package zoho

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"example.com/enlace/providers"
)

const watchPath = "/crm/v8/actions/watch"

// watchLife is what is asked for: an hour less than a week. More than a week would be cut to one hour [doc].
const watchLife = 6*24*time.Hour + 23*time.Hour

// channelID is the provider's name of one of our channels: a number of our choice, positive and exact in any JSON reader.
// It follows from the channel, so that asking again renews what is there and never makes a second one.
func channelID(channel string) string {
	sum := sha256.Sum256([]byte(channel))
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:8])>>12+1, 10)
}

// subscribe enables a watch channel, or goes on doing so: the call is the same [doc: Notification APIs]. The granted end
// is what counts, and an hour where none is told, which is the provider's default.
func (cfg Config) subscribe(ctx context.Context, account providers.Account, client *http.Client, s providers.Subscription) (providers.Subscription, error) {
	c := cfg.source(account, client)
	s.ID = channelID(s.Channel)
	order := map[string]any{"watch": []any{map[string]any{
		"channel_id": s.ID, "events": []string{"Contacts.all"}, "token": s.Secret, "notify_url": s.URL,
		"channel_expiry":           time.Now().UTC().Add(watchLife).Format("2006-01-02T15:04:05+00:00"),
		"notify_on_related_action": false, "return_affected_field_values": false,
	}}}
	ask := providers.Ask{Op: "subscribe to changes", Method: http.MethodPost, Path: watchPath, Body: order}
	body, err := c.send(ctx, ask)
	if err != nil {
		return providers.Subscription{}, providers.NoNotifications(err, "OAUTH_SCOPE_MISMATCH", "NOT_SUPPORTED", "LIMIT_REACHED", "LIMIT_EXCEEDED")
	}
	if providers.Plain(body, "watch", "0", "status") != "success" {
		return providers.Subscription{}, c.Unexpected(ask, "the answer names no channel")
	}
	s.ExpiresAt = time.Now().UTC().Add(time.Hour).Truncate(time.Second)
	if end, err := providers.ParseTime(providers.Plain(body, "watch", "0", "details", "events", "0", "channel_expiry")); err == nil && !end.IsZero() {
		s.ExpiresAt = end
	}
	return s, nil
}

// unsubscribe disables a watch channel.
func (cfg Config) unsubscribe(ctx context.Context, account providers.Account, client *http.Client, s providers.Subscription) error {
	_, err := cfg.source(account, client).send(ctx, providers.Ask{
		Op: "end the subscription", Method: http.MethodDelete, Path: watchPath, Query: url.Values{"channel_ids": {channelID(s.Channel)}}, Record: true,
	})
	if providers.KindOf(err) == providers.NotFound {
		return nil
	}
	return err
}

// readNotice reads a notification. The token is all that proves it; events have no ids, and a repeated one is the same
// bytes. The operation's word is a hint: the sources differ [?].
func readNotice(n providers.Notification) ([]providers.Change, error) {
	body := jsontext.Value(n.Body)
	if !providers.SameSecret(providers.Plain(body, "token"), n.Secret) {
		return nil, providers.ErrUnverified
	}
	ids, module := providers.IDs(body, "ids"), providers.Plain(body, "module")
	if !body.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) || module == "Contacts" && len(ids) == 0 {
		return nil, errors.New("zoho: read the notification: it is not of the form that is known")
	}
	if module != "Contacts" {
		return nil, nil
	}
	return []providers.Change{{ExternalIDs: ids, Deleted: providers.Plain(body, "operation") == "delete"}}, nil
}
