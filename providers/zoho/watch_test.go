package zoho_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
	"example.com/enlace/providers/zoho"
)

var wanted = providers.Subscription{Channel: "0193f0a2-7c3e-7b1a-9a60-3f1f4f2e7c11", URL: "https://app.example.com/webhooks/zoho/0193", Secret: "fortythreelettersanddigitsatmost"}

func subscribe(t *testing.T, a answer) (*line, providers.Subscription, error) {
	t.Helper()
	l := script(map[string][]answer{"/actions/watch": {a}})
	got, err := zoho.New(zoho.Config{}).Changes.Subscribe(t.Context(), providers.Account{APIDomain: "https://www.zohoapis.eu"}, l.client(), wanted)
	return l, got, err
}

// crm-zo-09: what was granted counts, not what was asked.
func TestSubscribe(t *testing.T) {
	t.Parallel()

	granted := func(expiry string) answer {
		return answer{201, nil, `{"watch":[{"code":"SUCCESS","details":{"events":[{` + expiry + `"resource_uri":"https://www.zohoapis.eu/crm/v8/Contacts","resource_id":"554023000000002179","resource_name":"Contacts","channel_id":"1000000068001"}]},"message":"Successfully subscribed","status":"success"}]}`}
	}
	begun := time.Now()
	l, got, err := subscribe(t, granted(`"channel_expiry":"2026-11-24T12:00:00+01:00",`))
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC), got.ExpiresAt)
	require.Equal(t, []string{wanted.Channel, wanted.URL, wanted.Secret}, []string{got.Channel, got.URL, got.Secret})
	require.Regexp(t, `^[1-9][0-9]{0,15}$`, got.ID, "a number that is exact everywhere")

	var asked struct {
		Watch []map[string]any
	}
	require.Equal(t, "POST", l.asked[0].method)
	require.NoError(t, json.Unmarshal([]byte(l.asked[0].body), &asked))
	require.Len(t, asked.Watch, 1)
	expiry, err := time.Parse(time.RFC3339, asked.Watch[0]["channel_expiry"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, begun.Add(7*24*time.Hour-time.Hour), expiry, time.Minute, "more than a week would be an hour")
	delete(asked.Watch[0], "channel_expiry")
	require.Equal(t, map[string]any{
		"channel_id": got.ID, "events": []any{"Contacts.all"}, "token": wanted.Secret, "notify_url": wanted.URL,
		"notify_on_related_action": false, "return_affected_field_values": false,
	}, asked.Watch[0])

	_, again, err := subscribe(t, granted(`"channel_expiry":null,`))
	require.NoError(t, err)
	require.Equal(t, got.ID, again.ID, "the channel is the same: none is made beside it")
	require.WithinDuration(t, begun.Add(time.Hour), again.ExpiresAt, time.Minute, "nothing was granted: the provider's default")
}

func TestSubscribeRefused(t *testing.T) {
	t.Parallel()

	wrapped := func(code string) string { return `{"watch":[` + failure(code) + `]}` }
	for what, c := range map[string]struct {
		answer answer
		kind   providers.ErrorKind
		never  bool // there will be no notifications
	}{
		"a scope that is missing":     {answer{401, nil, failure("OAUTH_SCOPE_MISMATCH")}, providers.Blocked, true},
		"a profile that may not":      {answer{403, nil, failure("NO_PERMISSION")}, providers.Blocked, true},
		"an edition that has none":    {answer{400, nil, wrapped("NOT_SUPPORTED")}, providers.Blocked, true},
		"too many of them":            {answer{202, nil, wrapped("LIMIT_REACHED")}, providers.Blocked, true},
		"our way of asking":           {answer{400, nil, wrapped("INVALID_DATA")}, providers.Misconfigured, false},
		"a dead token":                {answer{401, nil, failure("INVALID_TOKEN")}, providers.NeedsReauth, false},
		"a fault of theirs":           {answer{500, nil, failure("INTERNAL_ERROR")}, providers.Transient, false},
		"too many calls":              {answer{429, nil, failure("TOO_MANY_REQUESTS")}, providers.RateLimited, false},
		"an answer without a channel": {answer{201, nil, `{"watch":[]}`}, providers.SchemaChanged, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			_, got, err := subscribe(t, c.answer)
			require.Empty(t, got)
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind, e.Kind, "%v", e)
			if c.never {
				require.ErrorIs(t, err, providers.ErrNoNotifications)
				require.True(t, e.RetryAt.After(time.Now()))
			} else {
				require.NotErrorIs(t, err, providers.ErrNoNotifications)
			}
		})
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()

	end := func(a answer) (*line, error) {
		l := script(map[string][]answer{"/actions/watch": {a}})
		return l, zoho.New(zoho.Config{}).Changes.Unsubscribe(t.Context(), providers.Account{APIDomain: "https://www.zohoapis.eu"}, l.client(), wanted)
	}
	l, err := end(answer{200, nil, `{"watch":[{"code":"SUCCESS","details":{"channel_id":"1"},"status":"success"}]}`})
	require.NoError(t, err)
	require.Equal(t, "DELETE", l.asked[0].method)
	_, subscribed, err := subscribe(t, answer{201, nil, `{"watch":[{"status":"success"}]}`})
	require.NoError(t, err)
	require.Equal(t, subscribed.ID, l.asked[0].url.Query().Get("channel_ids"))
	_, err = end(answer{400, nil, `{"watch":[` + failure("NOT_SUBSCRIBED") + `]}`})
	require.NoError(t, err, "it is gone already")
	_, err = end(answer{204, nil, ""})
	require.NoError(t, err)
	_, err = end(answer{500, nil, failure("INTERNAL_ERROR")})
	requireError(t, err, providers.Transient, "")
}

func TestNotifications(t *testing.T) {
	t.Parallel()

	const example = `{"server_time":1795600800123,"module":"Contacts","operation":"update","resource_uri":"https://www.zohoapis.eu/crm/v8/Contacts","ids":["554023000000123001"],"affected_fields":[{"554023000000123001":["Email"]}],"query_params":{"c":"opaque"},"token":"the-secret","channel_id":"1000000068001"}`
	read := func(body string) ([]providers.Change, error) {
		return zoho.New(zoho.Config{}).Changes.Read(providers.Notification{Secret: "the-secret", Body: []byte(body)})
	}
	for operation, deleted := range map[string]bool{"insert": false, "update": false, "delete": true, "create": false, "edit": false, "a word of tomorrow": false} {
		got, err := read(strings.Replace(example, `"update"`, `"`+operation+`"`, 1))
		require.NoError(t, err)
		require.Equal(t, []providers.Change{{ExternalIDs: []string{"554023000000123001"}, Deleted: deleted}}, got, operation)
	}
	got, err := read(`{"module":"Contacts","ids":[554023000000123001,"2"],"token":"the-secret","channel_id":1000000068001}`)
	require.NoError(t, err)
	require.Equal(t, []string{"554023000000123001", "2"}, got[0].ExternalIDs, "digit for digit")
	for _, nothing := range []string{`{"module":"Leads","ids":["1"],"token":"the-secret"}`, `{"token":"the-secret"}`} {
		got, err := read(nothing)
		require.NoError(t, err)
		require.Empty(t, got, nothing)
	}
	for _, forged := range []string{
		strings.Replace(example, "the-secret", "another", 1), strings.Replace(example, `"the-secret"`, `null`, 1),
		`{"module":"Contacts","ids":["1"]}`, `{}`, ``, `<html>`, `[]`, `{"ids":7}`, `{"token":{}}`,
		`{"token":"the-secre`, `{"module":"Contacts","ids":["1"],`,
	} {
		_, err := read(forged)
		require.ErrorIs(t, err, providers.ErrUnverified, forged)
	}
	_, err = zoho.New(zoho.Config{}).Changes.Read(providers.Notification{Body: []byte(`{"token":""}`)})
	require.ErrorIs(t, err, providers.ErrUnverified, "nothing equals a secret that isn't there")
	for _, odd := range []string{`{"token":"the-secret","module":"Contacts","ids":{"a":1}}`, `{"token":"the-secret","module":"Contacts"}`, `{"module":"Contacts","ids":[],"token":"the-secret"}`} {
		_, err := read(odd)
		require.Error(t, err, odd)
		require.NotErrorIs(t, err, providers.ErrUnverified, odd)
	}
}
