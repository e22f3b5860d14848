package sandbox_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

// one is the only delivery that came.
func (b *bundle) one(i *inbox) arrival {
	b.t.Helper()
	b.settled()
	require.Len(b.t, i.got(), 1)
	return i.got()[0]
}

func TestEventOfANewPerson(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	i := b.subscribe(`,"http_auth_user":"enlace","http_auth_password":"s:cret"`)
	_, err := b.pipedrive.Mutate(0, sandbox.Mutation{Create: 1})
	require.NoError(t, err)

	got := b.one(i)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "Basic ZW5sYWNlOnM6Y3JldA==", got.header.Get("Authorization"))
	raw := decode[map[string]map[string]any](t, got.body)
	require.Nil(t, raw["previous"])
	require.Contains(t, raw, "previous")
	for _, name := range []string{"id", "correlation_id"} {
		require.NoError(t, uuid.Validate(raw["meta"][name].(string)))
		delete(raw["meta"], name)
	}
	require.Equal(t, map[string]any{
		"action": "create", "entity": "person", "entity_id": "11", "company_id": "4242", "user_id": "7001",
		"webhook_id": "1", "webhook_owner_id": "7001", "change_source": "app", "is_bulk_edit": false, "attempt": 1.0,
		"host": "nordlicht-gmbh.pipedrive.com", "permitted_user_ids": []any{"7001"}, "timestamp": "2026-11-24T12:00:00.000Z",
		"type": "application", "version": "2.0",
	}, raw["meta"])

	full := decode[struct{ Data map[string]any }](t, b.get(persons+"/11").body).Data
	require.NotContains(t, got.Data, "custom_fields", "a digest")
	require.Greater(t, len(got.Data), 10)
	for name, value := range got.Data {
		require.Equal(t, full[name], value, name)
	}
}

func TestEventOfAChangedPerson(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	i := b.subscribe("")
	require.NoError(t, b.pipedrive.Put(0, `{"id": 3, "name": "Zoe", "emails": [{"value": "z@example.com"}], "update_time": "2026-11-24T10:00:00Z"}`))
	b.settled()
	require.NoError(t, b.pipedrive.Put(0, `{"id":3,"name":"Zoë","emails":[{"value":"z@example.com"}],"update_time":"2026-11-24T10:00:01Z","org_id":7}`))
	b.settled()
	require.Len(t, i.got(), 2)
	got := i.got()[1]
	require.Equal(t, "change", got.Meta.Action)
	require.Equal(t, "Zoë", got.Data["name"])
	require.Equal(t, map[string]any{"name": "Zoe", "update_time": "2026-11-24T10:00:00Z", "org_id": nil}, got.Previous)
	require.NotEqual(t, i.got()[0].Meta.ID, got.Meta.ID)
}

func TestEventOfADeletedPerson(t *testing.T) {
	t.Parallel()

	for name, remove := range map[string]func(b *bundle){
		"by the control": func(b *bundle) { require.True(b.t, b.pipedrive.Delete(0, 5)) },
		"by the API": func(b *bundle) {
			b.configure(func(s *sandbox.PipedriveSettings) { s.Scope = "base,contacts:full,webhooks:full" })
			b.tokens = b.pipedrive.IssueTokens(sandbox.DefaultCompany)
			got := b.send(http.MethodDelete, b.root+persons+"/5", "", "", b.bearer)
			require.Equal(b.t, http.StatusOK, got.status, got.body)
		},
		"by a person that was put in": func(b *bundle) {
			require.NoError(b.t, b.pipedrive.Put(0, `{"id":5,"is_deleted":true}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, 10)
			i := b.subscribe("")
			before := decode[struct{ Data map[string]any }](t, b.get(persons+"/5").body).Data
			remove(b)
			got := b.one(i)
			require.Equal(t, "delete", got.Meta.Action)
			require.Equal(t, "5", got.Meta.EntityID)
			require.Contains(t, got.body, `"data":null`)
			require.Equal(t, before["name"], got.Previous["name"])
			require.Equal(t, before["update_time"], got.Previous["update_time"])
		})
	}
}

func TestEventsOfAMerge(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency = 1 })
	i := b.subscribe("")
	got := b.steer(http.MethodPost, "/merge", `{"winner":4,"loser":7}`)
	require.JSONEq(t, `{"winner":4,"loser":7}`, got.body)
	b.settled()
	require.Equal(t, []int64{7, 4}, i.persons())
	lost, won := i.got()[0], i.got()[1]
	require.Equal(t, "delete", lost.Meta.Action)
	require.Equal(t, "4", *lost.Meta.MergedToID)
	require.Nil(t, lost.Meta.MergedFromID)
	require.Equal(t, "change", won.Meta.Action)
	require.Equal(t, "7", *won.Meta.MergedFromID)
	require.Nil(t, won.Meta.MergedToID)
	require.Equal(t, []int64{4}, ids(b.list("ids=4,7").Data))

	require.True(t, b.pipedrive.Update(0, 4))
	b.settled()
	require.Nil(t, i.got()[2].Meta.MergedFromID, "only the merge's own event tells of it")
	for _, wrong := range []string{`{"winner":4,"loser":4}`, `{"winner":4,"loser":7}`, `{"winner":7,"loser":4}`, `{"winner":4,"loser":99}`, `{}`, `{"company":1,"winner":4,"loser":5}`} {
		require.Equal(t, http.StatusBadRequest, b.steer(http.MethodPost, "/merge", wrong).status, wrong)
	}
	b.settled()
	require.Len(t, i.got(), 3)
}

func TestWhoIsToldOfAChange(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	inboxes := map[string]*inbox{}
	for name, members := range map[string]string{
		"all": "", "create": `,"event_action":"create"`, "change": `,"event_action":"change"`, "delete": `,"event_action":"delete"`,
		"every object": `,"event_object":"*"`, "deals": `,"event_object":"deal"`, "version 1": `,"version":"1.0"`,
	} {
		inboxes[name] = b.subscribe(members)
	}
	b.tokens = b.pipedrive.IssueTokens(4243)
	inboxes["another company"] = b.subscribe("")

	_, err := b.pipedrive.Mutate(0, sandbox.Mutation{Create: 1, Update: 2, Delete: 3, Purge: 4})
	require.NoError(t, err)
	require.NoError(t, b.pipedrive.SetContacts(0, 5))
	b.settled()
	told := map[string]int{}
	for name, i := range inboxes {
		told[name] = len(i.got())
	}
	require.Equal(t, map[string]int{
		"all": 6, "create": 1, "change": 2, "delete": 3, "every object": 6, "deals": 0, "version 1": 0, "another company": 0,
	}, told, "of a purge and of other contacts nobody is told")
}

func TestEventsThatSubscriptionsOfOneChangeShare(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	first, second := b.subscribe(""), b.subscribe(`,"user_id":7009`)
	require.True(t, b.pipedrive.Update(0, 2))
	b.settled()
	one, other := first.got()[0], second.got()[0]
	require.Equal(t, one.Meta.CorrelationID, other.Meta.CorrelationID)
	require.NotEqual(t, one.Meta.ID, other.Meta.ID)
	require.NotEqual(t, one.Meta.WebhookID, other.Meta.WebhookID)
	require.Equal(t, []string{"7001", "7009"}, one.Meta.PermittedUserIDs)
}

func TestEventsFollowTheUsersPermissions(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	mine, admins := b.subscribe(""), b.subscribe(`,"user_id":7009`)
	b.configure(func(s *sandbox.PipedriveSettings) { s.Visible = 4 })
	b.change(10)
	b.settled()
	require.ElementsMatch(t, upTo(4), mine.persons())
	require.ElementsMatch(t, upTo(10), admins.persons())
}

func TestWebhooksCanBeSwitchedOff(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	i := b.subscribe("")
	b.configure(func(s *sandbox.PipedriveSettings) { s.Webhooks = false })
	b.change(10)
	require.Equal(t, sandbox.WebhookCounts{}, b.pipedrive.WebhookCounts())
	b.configure(func(s *sandbox.PipedriveSettings) { s.Webhooks = true })
	require.True(t, b.pipedrive.Update(0, 1))
	b.one(i)
}

func TestDeliveriesCostNoTokens(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	b.subscribe("")
	b.pipedrive.SetBudget(1000)
	b.change(10)
	b.settled()
	require.Equal(t, 1000, decode[resource](t, b.steer(http.MethodGet, "", "").body).BudgetRemaining)
}

func TestTenFailedFirstAttemptsBanASubscription(t *testing.T) {
	t.Parallel()

	b := setup(t, 100)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency, s.WebhookSpeed = 1, 10_000 })
	status := http.StatusInternalServerError
	i := b.subscribe("")
	i.answer = func(a arrival) int {
		if a.Meta.Attempt > 1 {
			return http.StatusOK
		}
		return status
	}
	step := func(n int) { // one at a time, since a change of the answer must not race
		t.Helper()
		for range n {
			require.True(t, b.pipedrive.Update(0, 1))
			b.settled()
		}
	}

	step(9)
	require.Equal(t, 9, b.pipedrive.Subscriptions()[0].Failures)
	require.Zero(t, b.pipedrive.WebhookCounts().Lost, "the second attempts came through")
	status = http.StatusOK
	step(1)
	require.Zero(t, b.pipedrive.Subscriptions()[0].Failures, "a success begins the count anew")

	status = http.StatusInternalServerError
	step(10)
	until := midday.Add(30 * time.Minute)
	require.Equal(t, &until, b.pipedrive.Subscriptions()[0].BannedUntil)
	require.Equal(t, 1, b.pipedrive.WebhookCounts().Lost, "the tenth's second attempt fell into the ban")

	status = http.StatusOK
	before := len(i.got())
	step(5)
	b.sandbox.Advance(30*time.Minute - time.Second)
	step(1)
	require.Len(t, i.got(), before)
	require.Equal(t, 7, b.pipedrive.WebhookCounts().Lost)

	b.sandbox.Advance(time.Second)
	require.Nil(t, b.pipedrive.Subscriptions()[0].BannedUntil)
	step(1)
	require.Len(t, i.got(), before+1, "what fell into the ban doesn't come any more")
}

func TestThreeDaysWithoutASuccessDeleteASubscription(t *testing.T) {
	t.Parallel()

	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		days []int // status of a delivery on each day
		want int
	}{
		"failures only":            {[]int{500, 500, 500, 500}, 0},
		"one failure":              {[]int{500, 0, 0, 0}, 0},
		"a success in between":     {[]int{500, 500, 200, 500}, 1},
		"a success, then failures": {[]int{200, 500, 500, 500}, 1},
		"nothing to deliver":       {[]int{200, 0, 0, 0}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, 10)
			b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookSpeed = 10_000 })
			i := b.subscribe("")
			var status int
			i.answer = func(arrival) int { return status }
			for n, s := range test.days {
				if n > 0 {
					b.sandbox.Advance(day)
				}
				if status = s; s != 0 {
					b.change(1)
					b.settled()
				}
			}
			require.Len(t, b.pipedrive.Subscriptions(), test.want)
			b.tokens = b.pipedrive.IssueTokens(sandbox.DefaultCompany)
			shown := decode[struct{ Data []struct{ ID int } }](t, b.get("/api/v1/webhooks").body)
			require.Len(t, shown.Data, test.want)
		})
	}
}

func TestASubscriptionThatIsDeletedGetsNothingMore(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	b.configure(func(s *sandbox.PipedriveSettings) { s.WebhookConcurrency = 1 })
	i := b.subscribe("")
	deleted := make(chan struct{})
	i.answer = func(arrival) int {
		<-deleted
		return http.StatusOK
	}
	b.change(3)
	require.Equal(t, http.StatusOK, b.send(http.MethodDelete, b.root+"/api/v1/webhooks/1", "", "", b.bearer).status)
	close(deleted)
	counts := b.settled()
	require.LessOrEqual(t, counts.Sent, 1, "one may be on its way already")
	require.Equal(t, 3, counts.Sent+counts.Lost)
	b.change(3)
	require.Equal(t, counts, b.pipedrive.WebhookCounts())
}
