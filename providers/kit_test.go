package providers_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"example.com/enlace/providers"
)

func TestWhereATokenMayGo(t *testing.T) {
	t.Parallel()

	const base = "http://127.0.0.1:8080/sandbox/acme"
	for address, want := range map[string]struct{ host, below bool }{
		"https://north.acme.example":       {true, false},
		"http://north.acme.example":        {},
		"https://north.acme.example:8443":  {},
		"https://user@north.acme.example":  {},
		"https://north.acme.example/x":     {},
		"https://north.acme.example?x=1":   {},
		"https://acme.example.evil.test":   {},
		"https://evilacme.example":         {},
		"https://.acme.example":            {},
		"https://evil.test#.acme.example":  {},
		base:                               {false, true},
		base + "/company/new":              {false, true},
		base + "/../../v1":                 {},
		base + "/%2e%2e/%2e%2e/v1":         {},
		base + "/x?y=1":                    {},
		base + ".evil.test":                {},
		"http://127.0.0.1:8080@evil.test/": {},
		"":                                 {},
	} {
		require.Equal(t, want.host, providers.Host(".acme.example", address), address)
		require.Equal(t, want.below, providers.Below(base, address), address)
		require.False(t, providers.Below("", address), address)
	}
}

func TestTheDomainOfAGrant(t *testing.T) {
	t.Parallel()

	read := providers.DomainIn("home", func(domain string) bool { return domain == "https://a.acme.example" })
	for domain, want := range map[any]string{"https://a.acme.example/": "https://a.acme.example", "": "", 5: ""} {
		var grant providers.Grant
		require.NoError(t, read((&oauth2.Token{}).WithExtra(map[string]any{"home": domain}), &grant))
		require.Equal(t, want, grant.APIDomain)
	}
	var grant providers.Grant
	err := read((&oauth2.Token{}).WithExtra(map[string]any{"home": "https://evil.test"}), &grant)
	require.Equal(t, providers.Misconfigured, providers.KindOf(err))
	require.Empty(t, grant)
}

func TestAppsHaveDefaults(t *testing.T) {
	t.Parallel()

	app := providers.App{ClientID: "id", ClientSecret: "s", APIBaseURL: "http://127.0.0.1/x/"}.Defaults("https://auth", "https://api")
	require.Equal(t, "https://auth", app.AuthBaseURL)
	require.Equal(t, "http://127.0.0.1/x", app.APIBaseURL)
	require.NotNil(t, app.TokenClient)
	o := app.OAuth(oauth2.Endpoint{TokenURL: "https://auth/token"}, "https://auth/revoke", "read")
	require.Equal(t, []string{"id", "s", "https://auth/token", "https://auth/revoke", "read"},
		[]string{o.Config.ClientID, o.Config.ClientSecret, o.Config.Endpoint.TokenURL, o.RevokeURL, o.Config.Scopes[0]})
	require.Same(t, app.TokenClient, o.Client)
}

func TestNotificationsProveThemselves(t *testing.T) {
	t.Parallel()

	r := http.Request{Header: http.Header{}}
	require.False(t, providers.BasicAuth(r.Header, "me", "secret"))
	r.SetBasicAuth("me", "secret")
	require.True(t, providers.BasicAuth(r.Header, "me", "secret"))
	for _, wrong := range [][2]string{{"you", "secret"}, {"me", "Secret"}, {"me", ""}, {"", "secret"}} {
		require.False(t, providers.BasicAuth(r.Header, wrong[0], wrong[1]), wrong)
	}
	r.SetBasicAuth("me", "")
	require.False(t, providers.BasicAuth(r.Header, "me", ""), "an empty secret proves nothing")

	require.Equal(t, "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=", providers.Sign("key", "The quick brown fox", " jumps over the lazy dog"))

	stamp := func(age time.Duration) string { return strconv.FormatInt(time.Now().Add(-age).UnixMilli(), 10) }
	require.True(t, providers.Recent(stamp(4*time.Minute), 5*time.Minute))
	require.True(t, providers.Recent(stamp(-4*time.Minute), 5*time.Minute))
	for _, text := range []string{stamp(6 * time.Minute), stamp(-6 * time.Minute), "", "now"} {
		require.False(t, providers.Recent(text, 5*time.Minute), text)
	}
}

func TestEventsAreReadOneByOne(t *testing.T) {
	t.Parallel()

	read := providers.ReadEach(func(n providers.Notification) bool { return n.Secret == "s" },
		func(event jsontext.Value) (providers.Change, bool) {
			ids := providers.IDs(event, "id", "other", "more")
			return providers.Change{ExternalIDs: ids}, len(ids) > 0
		})
	changes, err := read(providers.Notification{Secret: "s", Body: []byte(`[{"id":90071992547409931,"other":"2","more":[2,"3",{}]}, null, 5, {"id":{}}, {"id":"4"}]`)})
	require.NoError(t, err)
	require.Equal(t, []providers.Change{{ExternalIDs: []string{"90071992547409931", "2", "3"}}, {ExternalIDs: []string{"4"}}}, changes)
	for _, body := range []string{``, `{}`, `[{]`, `[{"id":1}`} {
		changes, err = read(providers.Notification{Secret: "s", Body: []byte(body)})
		require.Error(t, err, body)
		require.NotErrorIs(t, err, providers.ErrUnverified, body)
		require.Empty(t, changes, body)
	}
	_, err = read(providers.Notification{Body: []byte(`[]`)})
	require.ErrorIs(t, err, providers.ErrUnverified)
}

func TestFields(t *testing.T) {
	t.Parallel()

	list := []providers.Address{{Value: " a@x", Primary: true}, {Value: " "}, {Value: "b@x", Label: "l"}, {Value: "a@x"}}
	require.Equal(t, []providers.Address{list[0], list[2]}, providers.Addresses(list...))
	require.Nil(t, providers.Addresses(providers.Address{}))

	require.Nil(t, providers.CustomFields(map[string]string{"a": ""}))
	require.JSONEq(t, `{"b":"x","c":"y"}`, string(providers.CustomFields(map[string]string{"a": "", "c": "y", "b": "x"})))

	_, err := providers.RecordTime("changed", "yesterday")
	require.Equal(t, &providers.RecordError{Reason: "bad_time", Field: "changed", Detail: "yesterday"}, err)
	at, err := providers.RecordTime("changed", "")
	require.NoError(t, err)
	require.True(t, at.IsZero())

	require.Equal(t, 500, providers.ListRequest{}.Size(500))
	require.Equal(t, 500, providers.ListRequest{Limit: 501}.Size(500))
	require.Equal(t, 7, providers.ListRequest{Limit: 7}.Size(500))
}
