package pipedrive_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/providertest"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/sandbox/spectest"
)

func TestChanges(t *testing.T) {
	t.Parallel()

	providertest.Changes{Sandbox: func(t *testing.T) providertest.ChangesSandbox {
		t.Helper()
		return &telling{newAccount(t, sandbox.Config{Contacts: 5}, func(base http.RoundTripper) http.RoundTripper { return spectest.Transport(t, base) })}
	}}.Run(t)
}

// telling is the fake as one that tells of its changes.
type telling struct{ *account }

// Provider implements providertest.ChangesSandbox.
func (a *telling) Provider(*testing.T) *providers.Provider { return a.provider }

// Account implements providertest.ChangesSandbox.
func (a *telling) Account(*testing.T) (providers.Account, *http.Client) {
	return providers.Account{ExternalID: "4242:7001", APIDomain: a.domain}, a.client
}

// Target implements providertest.ChangesSandbox: each account is subscribed for itself.
func (a *telling) Target(*testing.T, string) {}

// Subscriptions implements providertest.ChangesSandbox.
func (a *telling) Subscriptions(*testing.T) int { return len(a.fake.Subscriptions()) }

// Lose implements providertest.ChangesSandbox.
func (a *telling) Lose(t *testing.T) {
	t.Helper()
	for _, s := range a.fake.Subscriptions() {
		require.NoError(t, a.end(t, s.ID))
	}
}

// end deletes a subscription as another app of the account would.
func (a *telling) end(t *testing.T, id int) error {
	t.Helper()
	account, client := a.Account(t)
	return a.provider.Changes.Unsubscribe(t.Context(), account, client, providers.Subscription{ID: strconv.Itoa(id)})
}

func TestSubscribeIsRefused(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		answer sandbox.Answer
		kind   providers.ErrorKind
		none   bool
	}{
		"the user has 40 already":     {sandbox.Answer{Status: 422, Body: `{"status":"error","success":false,"errors":{"general":["limit"]}}`}, providers.InvalidRequest, true},
		"the user may not have them":  {sandbox.Answer{Status: 403, Body: `{"success":false,"error":"Scope and URL mismatch"}`}, providers.InvalidRequest, true},
		"the firewall's page":         {sandbox.Answer{Status: 403, Body: `<html>`}, providers.RateLimited, false},
		"a fault of theirs":           {sandbox.Answer{Status: 500, Body: `{"success":false}`}, providers.Transient, false},
		"the address is not accepted": {sandbox.Answer{Status: 400, Body: `{"status":"error","success":false,"errors":{"subscription_url":["invalid"]}}`}, providers.Misconfigured, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			a := &telling{newAccount(t, sandbox.Config{Contacts: 1}, nil)}
			a.fake.Script("/api/v1/webhooks", c.answer)
			account, client := a.Account(t)
			account.EverWorked = true
			_, err := a.provider.Changes.Subscribe(t.Context(), account, client, providers.Subscription{URL: "https://enlace.example.com/webhooks/pipedrive/c", Secret: "s"})
			require.Error(t, err)
			require.Equal(t, c.kind, providers.KindOf(err), err)
			if c.none {
				require.ErrorIs(t, err, providers.ErrNoNotifications)
			} else {
				require.NotErrorIs(t, err, providers.ErrNoNotifications)
			}
		})
	}
}

func TestASubscriptionOfAnotherSecretIsMadeAnew(t *testing.T) {
	t.Parallel()

	a := &telling{newAccount(t, sandbox.Config{Contacts: 1}, nil)}
	account, client := a.Account(t)
	subscribe := func(ctx context.Context, secret string) string {
		made, err := a.provider.Changes.Subscribe(ctx, account, client, providers.Subscription{URL: "https://enlace.example.com/webhooks/pipedrive/c", Secret: secret})
		require.NoError(t, err)
		return made.ID
	}
	first := subscribe(t.Context(), "one")
	require.Equal(t, first, subscribe(t.Context(), "one"))
	require.NotEqual(t, first, subscribe(t.Context(), "two"))
	require.Len(t, a.fake.Subscriptions(), 1)
}

func TestReadNotification(t *testing.T) {
	t.Parallel()

	read := pipedrive.New(pipedrive.Config{}).Changes.Read
	header := func() http.Header {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth("enlace", "secret")
		return r.Header
	}
	for name, c := range map[string]struct {
		body string
		want []providers.Change
	}{
		"ids as texts":     {`{"meta":{"action":"change","entity":"person","entity_id":"1","id":"a"},"data":{"id":1}}`, []providers.Change{{Key: "a", ExternalIDs: []string{"1"}}}},
		"ids as numbers":   {`{"meta":{"action":"create","entity":"person","entity_id":9007199254740993,"id":7}}`, []providers.Change{{Key: "7", ExternalIDs: []string{"9007199254740993"}}}},
		"a deletion":       {`{"meta":{"action":"delete","entity":"person","entity_id":"1","id":"a"},"data":null,"previous":{"id":1}}`, []providers.Change{{Key: "a", ExternalIDs: []string{"1"}, Deleted: true}}},
		"a merge's loser":  {`{"meta":{"action":"delete","entity":"person","entity_id":"1","id":"a","merged_to_id":"2"}}`, []providers.Change{{Key: "a", ExternalIDs: []string{"1"}, Deleted: true}, {Key: "a", ExternalIDs: []string{"2"}}}},
		"a merge's winner": {`{"meta":{"action":"change","entity":"person","entity_id":"2","id":"b","merged_from_id":"1"}}`, []providers.Change{{Key: "b", ExternalIDs: []string{"2"}}, {Key: "b", ExternalIDs: []string{"1"}, Deleted: true}}},
		"another entity":   {`{"meta":{"action":"change","entity":"deal","entity_id":"1","id":"a"}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := read(providers.Notification{Secret: "secret", Header: header(), Body: []byte(c.body)})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := read(providers.Notification{Secret: "secret", Header: header(), Body: []byte(`{"meta":{"action":"change","entity":"person","id":"a"}}`)})
	require.Error(t, err, "an event about nobody")
	require.NotErrorIs(t, err, providers.ErrUnverified)
}
