package sandbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestHubSpotSearchFindsWhatTheListHolds(t *testing.T) {
	t.Parallel()

	const contacts = 1300 // two of them without a modification time
	h := hubBare(t, contacts)
	_, err := h.hubspot.Mutate(0, sandbox.Mutation{Create: 10, Update: 30, Delete: 20, Purge: 5})
	require.NoError(t, err)
	var all []hubContact
	after := ""
	for {
		page := h.list("limit=100" + after)
		all = append(all, page.Results...)
		if page.next() == "" {
			break
		}
		after = "&after=" + page.next()
	}
	for _, position := range []int{2, 640, len(all) - 1} {
		bound := all[position].modified(t)
		if bound.IsZero() {
			bound = all[position-1].modified(t)
		}
		for operator, holds := range map[string]func(time.Time) bool{
			"GTE": func(at time.Time) bool { return !at.Before(bound) },
			"GT":  func(at time.Time) bool { return at.After(bound) },
			"LTE": func(at time.Time) bool { return !at.After(bound) },
			"LT":  func(at time.Time) bool { return at.Before(bound) },
			"EQ":  func(at time.Time) bool { return at.Equal(bound) },
		} {
			want := []int64{}
			for _, c := range all {
				if at := c.modified(t); !at.IsZero() && holds(at) {
					want = append(want, c.number(t))
				}
			}
			for _, sortBy := range []string{"hs_object_id", "createdate", "lastmodifieddate", "email"} {
				if sortBy == "email" && operator != "GTE" {
					continue // looks at every contact, which takes its time
				}
				for _, direction := range []string{"ASCENDING", "DESCENDING"} {
					got := []int64{}
					next := ""
					for {
						page := h.search(fmt.Sprintf(`{"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"%s","value":"%d"}]}],
							"sorts":[{"propertyName":"%s","direction":"%s"}],"limit":200,"after":"%s"}`, operator, bound.UnixMilli(), sortBy, direction, next))
						require.Equal(t, len(want), *page.Total, "%s position %d by %s", operator, position, sortBy)
						got = append(got, page.ids(t)...)
						if next = page.next(); next == "" {
							break
						}
					}
					if sortBy == "hs_object_id" && direction == "ASCENDING" {
						require.Equal(t, want, got, "%s position %d", operator, position)
					}
					slices.Sort(got)
					require.Equal(t, want, got, "%s position %d by %s %s", operator, position, sortBy, direction)
				}
			}
		}
	}
}

func TestHubSpotSearchSorts(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 700)
	for sortBy, value := range map[string]func(hubContact) string{
		"hs_object_id":     func(c hubContact) string { return fmt.Sprintf("%020s", c.ID) },
		"createdate":       func(c hubContact) string { return c.CreatedAt.Format(time.RFC3339Nano) },
		"lastmodifieddate": func(c hubContact) string { return c.modified(t).Format("2006-01-02T15:04:05.000") },
		"email":            func(c hubContact) string { return c.text("email") },
	} {
		for direction, sign := range map[string]int{"ASCENDING": 1, "DESCENDING": -1} {
			page := h.search(fmt.Sprintf(`{"sorts":[{"propertyName":"%s","direction":"%s"}],"limit":200}`, sortBy, direction))
			require.Len(t, page.Results, 200)
			require.Equal(t, 700, *page.Total)
			require.True(t, slices.IsSortedFunc(page.Results, func(a, b hubContact) int { return sign * strings.Compare(value(a), value(b)) }), "%s %s", sortBy, direction)
		}
	}
	require.Equal(t, hubIDs(upTo(10)...), h.search(`{"sorts":["hs_object_id"]}`).ids(t), "a sort may be a name")
	require.Equal(t, hubIDs(upTo(10)...), h.search(`{}`).ids(t))
}

func TestHubSpotSearchFilters(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 0)
	for id, props := range map[int]string{
		1: `"email":"zoe@example.com","loyalty_points":"9","interests":"tools;coffee","lastmodifieddate":"2026-11-24T10:00:00.120Z"`,
		2: `"email":"Ana@Example.com","loyalty_points":"10","interests":null,"lastmodifieddate":"2026-11-24T10:00:00.121Z"`,
		3: `"email":null,"loyalty_points":null,"lastmodifieddate":null`,
	} {
		require.NoError(t, h.hubspot.Put(0, fmt.Sprintf(`{"id":"%d","createdAt":"2019-02-28T23:59:59.001Z","properties":{%s}}`, id, props)))
	}
	filter := func(name, rest string) string {
		return `{"filters":[{"propertyName":"` + name + `",` + rest + `}]}`
	}
	for name, test := range map[string]struct {
		groups string
		want   []int64
	}{
		"none":                           {``, []int64{1, 2, 3}},
		"equal, whatever the case":       {filter("email", `"operator":"EQ","value":"ana@example.COM"`), []int64{2}},
		"not equal leaves nulls out":     {filter("email", `"operator":"NEQ","value":"zoe@example.com"`), []int64{2}},
		"numbers compare as numbers":     {filter("loyalty_points", `"operator":"LT","value":"10"`), []int64{1}},
		"at most":                        {filter("loyalty_points", `"operator":"LTE","value":"10"`), []int64{1, 2}},
		"more than":                      {filter("loyalty_points", `"operator":"GT","value":"9"`), []int64{2}},
		"text compares as text":          {filter("email", `"operator":"GTE","value":"b"`), []int64{1}},
		"between includes both":          {filter("loyalty_points", `"operator":"BETWEEN","value":"9","highValue":"10"`), []int64{1, 2}},
		"one of":                         {filter("hs_object_id", `"operator":"IN","values":["1","3"]`), []int64{}},
		"none of":                        {filter("email", `"operator":"NOT_IN","values":["zoe@example.com","x"]`), []int64{2}},
		"with a value":                   {filter("interests", `"operator":"HAS_PROPERTY"`), []int64{1}},
		"without a value":                {filter("interests", `"operator":"NOT_HAS_PROPERTY"`), []int64{2, 3}},
		"a word":                         {filter("interests", `"operator":"CONTAINS_TOKEN","value":"cof*"`), []int64{1}},
		"not a word":                     {filter("email", `"operator":"NOT_CONTAINS_TOKEN","value":"*zoe"`), []int64{2}},
		"a millisecond apart":            {filter("lastmodifieddate", `"operator":"GT","value":"1795514400120"`), []int64{2}},
		"a time as text":                 {filter("lastmodifieddate", `"operator":"LTE","value":"2026-11-24T10:00:00.120Z"`), []int64{1}},
		"groups are alternatives":        {filter("email", `"operator":"EQ","value":"zoe@example.com"`) + "," + filter("email", `"operator":"NOT_HAS_PROPERTY"`), []int64{1, 3}},
		"filters of a group all hold":    {`{"filters":[{"propertyName":"email","operator":"HAS_PROPERTY"},{"propertyName":"loyalty_points","operator":"EQ","value":"10"}]}`, []int64{2}},
		"an id and no key of that name":  {filter("hs_object_id", `"operator":"GT","value":"1"`), []int64{2, 3}},
		"the narrowest of several times": {`{"filters":[{"propertyName":"lastmodifieddate","operator":"GTE","value":"0"},{"propertyName":"lastmodifieddate","operator":"GTE","value":"1795514400121"}]}`, []int64{2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			page := h.with(t).search(`{"filterGroups":[` + test.groups + `],"sorts":["hs_object_id"]}`)
			require.Equal(t, test.want, page.ids(t))
			require.Equal(t, len(test.want), *page.Total)
		})
	}
	require.Equal(t, []int64{2}, h.search(`{"query":"ANA@"}`).ids(t))
}

func TestHubSpotSearchRefuses(t *testing.T) {
	t.Parallel()

	filters := func(n int) string {
		return `{"filters":[` + strings.Repeat(`{"propertyName":"email","operator":"HAS_PROPERTY"},`, n-1) + `{"propertyName":"email","operator":"HAS_PROPERTY"}]}`
	}
	h := hubBare(t, 3)
	for name, body := range map[string]string{
		"more than 200 a page":      `{"limit":201}`,
		"no page at all":            `{"limit":0}`,
		"a place in words":          `{"after":"abc"}`,
		"a place before the first":  `{"after":"-1"}`,
		"two sorts":                 `{"sorts":["email","lastname"]}`,
		"an unknown sort":           `{"sorts":["shoe_size"]}`,
		"an unknown direction":      `{"sorts":[{"propertyName":"email","direction":"UP"}]}`,
		"a sort with another field": `{"sorts":[{"propertyName":"email","order":"ASCENDING"}]}`,
		"six groups":                `{"filterGroups":[` + strings.Repeat(filters(1)+",", 5) + filters(1) + `]}`,
		"seven filters in a group":  `{"filterGroups":[` + filters(7) + `]}`,
		"nineteen filters":          `{"filterGroups":[` + filters(6) + "," + filters(6) + "," + filters(6) + "," + filters(1) + `]}`,
		"an unknown operator":       `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"LIKE","value":"a"}]}]}`,
		"no value":                  `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ"}]}]}`,
		"no higher value":           `{"filterGroups":[{"filters":[{"propertyName":"loyalty_points","operator":"BETWEEN","value":"1"}]}]}`,
		"no values":                 `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"IN","value":"a"}]}]}`,
		"a time that is none":       `{"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"GTE","value":"yesterday"}]}]}`,
		"an id that is none":        `{"filterGroups":[{"filters":[{"propertyName":"hs_object_id","operator":"GT","value":"a1"}]}]}`,
		"another object's property": `{"filterGroups":[{"filters":[{"propertyName":"hs_lastmodifieddate","operator":"GTE","value":"1"}]}]}`,
		"an unknown field":          `{"archived":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := h.with(t).post(hubSearch, body)
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
			require.Contains(t, got.body, `"category":"VALIDATION_ERROR"`)
		})
	}
	full := `{"filterGroups":[` + filters(6) + "," + filters(6) + "," + filters(6) + `]}`
	require.Equal(t, http.StatusOK, h.post(hubSearch, full).status, "18 filters are allowed")

	other := hubSetup(t, 3)
	other.set(func(s *sandbox.HubSpotSettings) { s.UnknownFilter = sandbox.UnknownFilterNothing })
	page := other.search(`{"filterGroups":[{"filters":[{"propertyName":"hs_lastmodifieddate","operator":"GTE","value":"1"}]}]}`)
	require.Zero(t, *page.Total, "the other reading: an error or nothing")
}

func TestHubSpotSearchEndsAtTenThousand(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 12_000)
	seen := map[int64]bool{}
	after := ""
	for range 50 {
		page := h.search(`{"limit":200,"after":"` + after + `"}`)
		require.Equal(t, 12_000, *page.Total)
		for _, id := range page.ids(t) {
			seen[id] = true
		}
		after = page.next()
	}
	require.Len(t, seen, 10_000)
	require.Equal(t, "10000", after)
	for _, body := range []string{`{"limit":200,"after":"10000"}`, `{"limit":1,"after":"10000"}`, `{"limit":200,"after":"9801"}`} {
		require.Equal(t, http.StatusBadRequest, h.post(hubSearch, body).status, body)
	}
}

func TestHubSpotBulkEditOfOneMillisecondIsWalkedByID(t *testing.T) {
	t.Parallel()

	const edited = 12_000
	h := hubBare(t, edited+50)
	_, err := h.hubspot.Mutate(0, sandbox.Mutation{Update: edited})
	require.NoError(t, err)
	at := midday.Add(120 * time.Millisecond)

	one := h.search(`{"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"EQ","value":"` + strconv.FormatInt(at.UnixMilli(), 10) + `"}]}],"limit":1}`)
	require.Equal(t, edited, *one.Total, "all of them in one millisecond")
	all := h.changedSince(at, at, 200, nil)
	require.Len(t, all, edited)
	require.Len(t, slices.Compact(slices.Clone(all)), edited)
}

func TestHubSpotOffsetsOnMovingDataLoseContacts(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 0)
	early := midday.Add(-time.Hour)
	for i := range int64(30) {
		h.put(early.Add(time.Duration(i)*time.Second), 501+i)
	}
	move := func() { require.True(t, h.hubspot.Update(0, 503)) }
	byOffset := func(after string) hubPage {
		return h.search(fmt.Sprintf(`{"filterGroups":[{"filters":[{"propertyName":"lastmodifieddate","operator":"LTE","value":"%d"}]}],
			"sorts":["lastmodifieddate"],"limit":10,"after":"%s"}`, midday.UnixMilli(), after))
	}
	first := byOffset("")
	move()
	second := byOffset(first.next())
	require.NotContains(t, append(first.ids(t), second.ids(t)...), int64(511), "it took the place that the page before had")

	walked := h.changedSince(early, midday.Add(time.Second), 10, func(page int) {
		if page == 1 {
			require.True(t, h.hubspot.Update(0, 505))
		}
	})
	require.Contains(t, walked, int64(511))
	require.Len(t, walked, 30)
}

func TestHubSpotIndexLags(t *testing.T) {
	t.Parallel()

	all := func(h *hub) []int64 { return h.search(`{"limit":200}`).ids(h.t) }
	setup := func(t *testing.T) *hub {
		t.Helper()
		h := hubSetup(t, 10)
		h.set(func(s *sandbox.HubSpotSettings) { s.IndexLagMS = 30_000 })
		return h
	}

	t.Run("behind changes, creations and deletions", func(t *testing.T) {
		t.Parallel()

		h := setup(t)
		before := h.search(`{"filterGroups":[{"filters":[{"propertyName":"hs_object_id","operator":"EQ","value":"` + idText(5) + `"}]}]}`).Results
		require.True(t, h.hubspot.Update(0, hubID+4))
		require.True(t, h.hubspot.Delete(0, hubID+5))
		require.True(t, h.hubspot.Purge(0, hubID+6))
		_, err := h.hubspot.Mutate(0, sandbox.Mutation{Create: 1})
		require.NoError(t, err)

		h.sandbox.Advance(30*time.Second - time.Millisecond)
		require.Equal(t, hubIDs(upTo(10)...), all(h))
		require.Equal(t, 10, *h.search(`{"limit":1}`).Total)
		require.Empty(t, h.changedSince(midday, midday.Add(time.Minute), 100, nil))
		require.Equal(t, before, h.search(`{"filterGroups":[{"filters":[{"propertyName":"hs_object_id","operator":"EQ","value":"`+idText(5)+`"}]}]}`).Results)
		require.Equal(t, hubIDs(1, 2, 3, 4, 5, 8, 9, 10, 11), h.list("limit=100").ids(t), "the list reads the store")
		require.NotEqual(t, before[0].Properties, h.list("").Results[4].Properties)

		h.sandbox.Advance(time.Millisecond)
		require.Equal(t, hubIDs(1, 2, 3, 4, 5, 8, 9, 10, 11), all(h))
		require.Equal(t, hubIDs(5, 11), h.changedSince(midday, midday.Add(time.Minute), 100, nil))
	})

	t.Run("shows each version in its turn", func(t *testing.T) {
		t.Parallel()

		h := setup(t)
		require.True(t, h.hubspot.Update(0, hubID))
		h.sandbox.Advance(20 * time.Second)
		second := h.list("").Results[0]
		require.True(t, h.hubspot.Update(0, hubID))
		require.NotEqual(t, second.Properties, h.search(`{}`).Results[0].Properties, "as generated")
		h.sandbox.Advance(10 * time.Second)
		require.Equal(t, second.Properties, h.search(`{}`).Results[0].Properties)
		h.sandbox.Advance(20 * time.Second)
		require.Equal(t, h.list("").Results[0].Properties, h.search(`{}`).Results[0].Properties)
		require.NotEqual(t, second.Properties, h.list("").Results[0].Properties)
	})

	t.Run("is over when the lag is switched off", func(t *testing.T) {
		t.Parallel()

		h := setup(t)
		require.True(t, h.hubspot.Delete(0, hubID))
		require.Len(t, all(h), 10)
		h.set(func(s *sandbox.HubSpotSettings) { s.IndexLagMS = 0 })
		require.Len(t, all(h), 9)
	})
}
