package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

const watchPath = "/crm/v8/actions/watch"

// zohoTarget receives notifications.
type zohoTarget struct {
	b    *zohoBundle
	url  string
	mu   sync.Mutex
	came []zohoNotice
	text []string
}

// zohoNotice is a notification as it came.
type zohoNotice struct {
	ServerTime     int64                 `json:"server_time"`
	Module         string                `json:"module"`
	Operation      string                `json:"operation"`
	ResourceURI    string                `json:"resource_uri"`
	IDs            []string              `json:"ids"`
	AffectedFields []map[string][]string `json:"affected_fields"`
	QueryParams    map[string]string     `json:"query_params"`
	Token          string                `json:"token"`
	ChannelID      any                   `json:"channel_id"`
}

func (b *zohoBundle) target() *zohoTarget {
	b.t.Helper()
	g := &zohoTarget{b: b}
	server := httptest.NewServer(g)
	b.t.Cleanup(server.Close)
	g.url = server.URL + "/hooks/zoho?c=opaque"
	b.configure(func(s *sandbox.ZohoSettings) { s.WebhookConcurrency = 1 })
	return g
}

// ServeHTTP implements http.Handler.
func (g *zohoTarget) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.text = append(g.text, string(body))
}

// all waits until nothing is left to deliver, and returns what came.
func (g *zohoTarget) all() []zohoNotice {
	g.b.t.Helper()
	require.Eventually(g.b.t, func() bool { return g.b.zoho.WebhookCounts().Pending == 0 }, time.Minute, time.Millisecond)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, text := range g.text[len(g.came):] {
		g.came = append(g.came, decode[zohoNotice](g.b.t, text))
	}
	return g.came
}

// channelBody is a request for a channel; more are further members.
func channelBody(id, url, events, more string) string {
	return fmt.Sprintf(`{"watch":[{"channel_id":%q,"events":[%q],"notify_url":%q%s}]}`, id, events, url, more)
}

// enable makes a channel and returns its expiry.
func (b *zohoBundle) enable(id, url, events, more string) time.Time {
	b.t.Helper()
	got := b.ask(http.MethodPost, watchPath, channelBody(id, url, events, more))
	require.Equal(b.t, http.StatusCreated, got.status, got.body)
	answer := decode[struct {
		Watch []struct {
			Details struct {
				Events []struct {
					Expiry  *string `json:"channel_expiry"`
					Channel string  `json:"channel_id"`
				} `json:"events"`
			} `json:"details"`
		} `json:"watch"`
	}](b.t, got.body)
	require.Equal(b.t, id, answer.Watch[0].Details.Events[0].Channel)
	return zohoTime(b.t, answer.Watch[0].Details.Events[0].Expiry).UTC()
}

func TestZohoTellsItsChannelsOfEachChange(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 10)
	g := b.target()
	b.enable("1000000068001", g.url, "Contacts.all", `,"token":"secret"`)
	id := b.zoho.ContactID(0, 3)
	require.True(t, b.zoho.Update(0, id))
	require.True(t, b.zoho.Delete(0, id))
	require.True(t, b.zoho.Restore(0, id))
	came := g.all()
	require.Equal(t, zohoNotice{
		ServerTime: midday.UnixMilli(), Module: "Contacts", Operation: "update", ResourceURI: b.host + "/crm/v8/Contacts",
		IDs: []string{id}, AffectedFields: []map[string][]string{{id: {"Email"}}}, QueryParams: map[string]string{"c": "opaque"},
		Token: "secret", ChannelID: "1000000068001",
	}, came[0])
	var told []string
	for _, n := range came {
		told = append(told, n.Operation)
	}
	require.Equal(t, []string{"update", "delete", "insert"}, told)

	b.configure(func(s *sandbox.ZohoSettings) { s.WebhookWords, s.WebhookChannelNumber = sandbox.WordsCRUD, true })
	require.NoError(t, b.zoho.Merge(0, id, b.zoho.ContactID(0, 4)))
	came = g.all()[3:]
	require.Len(t, came, 2)
	require.Equal(t, "edit", came[0].Operation)
	require.EqualValues(t, 1000000068001, came[0].ChannelID)
	require.Equal(t, "delete", came[1].Operation)
	require.Equal(t, []string{b.zoho.ContactID(0, 4)}, came[1].IDs)
	require.True(t, b.zoho.Purge(0, b.zoho.ContactID(0, 4)))
	require.Len(t, g.all(), 5, "it was deleted already")
}

func TestZohoNotificationsNameManyContacts(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 300)
	g := b.target()
	b.enable("1", g.url, "Contacts.edit", "")
	done, err := b.zoho.Mutate(0, sandbox.Mutation{Update: 230, Create: 5, Delete: 5})
	require.NoError(t, err)
	var ids []string
	came := g.all()
	require.Len(t, came, 3)
	for _, n := range came {
		ids = append(ids, n.IDs...)
	}
	require.Equal(t, done.Updated, ids)

	queued, err := b.zoho.Replay(2, false)
	require.NoError(t, err)
	require.Equal(t, 6, queued)
	require.Len(t, g.all(), 9)
	require.Equal(t, sandbox.WebhookCounts{Sent: 9}, b.zoho.WebhookCounts())
	_, err = b.zoho.Replay(0, false)
	require.ErrorContains(t, err, "times")
}

func TestZohoTellsOnlyLivingChannelsOfTheOrg(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 10)
	g := b.target()
	id := b.zoho.ContactID(0, 1)
	require.True(t, b.zoho.Update(0, id))
	require.Empty(t, g.all(), "no channel yet")
	require.Equal(t, midday.Add(time.Hour), b.enable("1", g.url, "Contacts.edit", ""))
	b.use(60010002)
	b.enable("1", g.url, "Contacts.all", `,"token":"other"`)
	b.use(0)
	require.True(t, b.zoho.Update(0, id))
	require.True(t, b.zoho.Delete(0, b.zoho.ContactID(0, 2)))
	require.Len(t, g.all(), 1, "neither deletions nor other orgs")

	b.sandbox.Advance(time.Hour - time.Second)
	require.True(t, b.zoho.Update(0, id))
	require.Len(t, g.all(), 2)
	b.sandbox.Advance(time.Second)
	require.True(t, b.zoho.Update(0, id))
	require.Len(t, g.all(), 2, "it expired, and nobody said so")
	require.Empty(t, b.zoho.Channels())
	b.use(0)
	require.Equal(t, http.StatusNoContent, b.get(watchPath).status)
	got := b.ask(http.MethodDelete, watchPath+"?channel_ids=1", "")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Equal(t, "NOT_SUBSCRIBED", errorCode(t, got.body))
}

func TestZohoChannelExpiry(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 1)
	in := func(d time.Duration) string { return `,"channel_expiry":"` + midday.Add(d).Format(time.RFC3339) + `"` }
	const week = 7 * 24 * time.Hour
	require.Equal(t, midday.Add(week), b.enable("1", "https://app.example.com/x", "Contacts.all", in(week)))
	require.Equal(t, midday.Add(time.Hour), b.enable("1", "https://app.example.com/x", "Contacts.all", in(week+time.Second)), "more than a week falls back to an hour")
	b.configure(func(s *sandbox.ZohoSettings) { s.GrantSeconds = 60 })
	require.Equal(t, midday.Add(time.Minute), b.enable("1", "https://app.example.com/x", "Contacts.all", in(week)))
	require.Len(t, b.zoho.Channels(), 1, "renewed, not made again")
}

func TestZohoChannelsAreListedChangedAndDeleted(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	g := b.target()
	b.enable("11", g.url, "Contacts.create", "")
	b.enable("12", g.url, "Contacts.all", `,"token":"old"`)
	got := b.ask(http.MethodPut, watchPath, channelBody("12", g.url, "Contacts.all", `,"token":"new"`))
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.True(t, b.zoho.Update(0, b.zoho.ContactID(0, 1)))
	require.Equal(t, "new", g.all()[0].Token)
	got = b.ask(http.MethodPatch, watchPath, `{"watch":[{"channel_id":"11","events":["Contacts.create"],"_delete_events":true}]}`)
	require.Equal(t, http.StatusOK, got.status, got.body)
	got = b.get(watchPath + "?module=Contacts&page=1&per_page=10")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Contains(t, got.body, `"channel_id":"12"`)
	require.NotContains(t, got.body, `"channel_id":"11"`)
	got = b.ask(http.MethodDelete, watchPath+"?channel_ids=12", "")
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Empty(t, b.zoho.Channels())
	got = b.ask(http.MethodPut, watchPath, channelBody("12", g.url, "Contacts.all", ""))
	require.Equal(t, "NOT_SUBSCRIBED", errorCode(t, got.body))
}

func TestZohoChannelRefusals(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	const url = "https://app.example.com/x"
	for body, code := range map[string]string{
		`{}`: "MANDATORY_NOT_FOUND",
		`{"watch":[{"events":["Contacts.all"],"notify_url":"https://a.b"}]}`:                   "MANDATORY_NOT_FOUND",
		channelBody("1", url, "Leads.all", ""):                                                 "INVALID_DATA",
		channelBody("1", "nowhere", "Contacts.all", ""):                                        "INVALID_DATA",
		channelBody("1", url, "Contacts.all", `,"token":"`+strings.Repeat("x", 51)+`"`):        "INVALID_DATA",
		channelBody("1", url, "Contacts.all", `,"channel_expiry":"2020-01-01T00:00:00+00:00"`): "INVALID_DATA",
	} {
		for _, status := range []int{400, 202} {
			b.configure(func(s *sandbox.ZohoSettings) { s.WatchErrorStatus = status })
			got := b.ask(http.MethodPost, watchPath, body)
			require.Equal(t, status, got.status, body)
			require.Equal(t, code, errorCode(t, got.body), body)
		}
	}
	b.configure(func(s *sandbox.ZohoSettings) { s.Webhooks = false })
	got := b.ask(http.MethodPost, watchPath, channelBody("1", url, "Contacts.all", ""))
	require.Equal(t, http.StatusForbidden, got.status)
	require.ErrorContains(t, b.zoho.Configure(func(s *sandbox.ZohoSettings) { s.WebhookWords = "x" }), "webhook_words")
	require.ErrorContains(t, b.zoho.Configure(func(s *sandbox.ZohoSettings) { s.WebhookSpeed = 0 }), "webhook_speed")
}
