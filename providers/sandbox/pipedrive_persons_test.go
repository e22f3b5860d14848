package sandbox_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func TestListVisitsEveryPersonOnceInOrder(t *testing.T) {
	t.Parallel()

	const contacts = 1300 // two of them without an update time
	for _, sortBy := range []string{"id", "add_time", "update_time"} {
		for _, dir := range []string{"asc", "desc"} {
			t.Run(sortBy+" "+dir, func(t *testing.T) {
				t.Parallel()

				b := bare(t, contacts) // the shape of a page is checked elsewhere, and takes its time
				_, err := b.pipedrive.Mutate(0, sandbox.Mutation{Update: 40, Create: 20})
				require.NoError(t, err)
				all := b.walk("limit=97&sort_by="+sortBy+"&sort_direction="+dir, nil)

				require.True(t, slices.IsSortedFunc(all, func(a, c contact) int {
					order := compare(t, sortBy, a, c)
					if dir == "desc" {
						return -order
					}
					return order
				}))
				seen := ids(all)
				slices.Sort(seen)
				require.Equal(t, upTo(contacts+20), seen)
			})
		}
	}
}

// compare orders as the provider does: nulls first, ties by id.
func compare(t *testing.T, sortBy string, a, c contact) int {
	t.Helper()
	at := func(c contact) time.Time {
		if sortBy == "add_time" && c.AddTime != nil {
			parsed, err := time.Parse(time.RFC3339, *c.AddTime)
			require.NoError(t, err)
			return parsed
		}
		return c.updated(t)
	}
	if sortBy == "add_time" && (a.AddTime == nil || c.AddTime == nil) {
		return int(a.ID - c.ID) // an odd record hides its time; the list still knows it
	}
	if order := at(a).Compare(at(c)); sortBy != "id" && order != 0 {
		return order
	}
	return int(a.ID - c.ID)
}

func TestListWhilePersonsChange(t *testing.T) {
	t.Parallel()

	t.Run("by id: deleted ones go, others stay, new ones come at the end", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 300)
		all := b.walk("limit=100", func(page int) {
			if page == 1 {
				require.True(t, b.pipedrive.Delete(0, 50), "already listed")
				require.True(t, b.pipedrive.Delete(0, 150))
				require.True(t, b.pipedrive.Update(0, 200))
				_, err := b.pipedrive.Mutate(0, sandbox.Mutation{Create: 1})
				require.NoError(t, err)
			}
		})
		want := slices.DeleteFunc(upTo(301), func(id int64) bool { return id == 150 })
		require.Equal(t, want, ids(all))
	})

	t.Run("by update time: a changed person comes again", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 300)
		all := b.walk("limit=100&sort_by=update_time", func(page int) {
			if page == 1 {
				require.True(t, b.pipedrive.Update(0, 5))
			}
		})
		require.Len(t, all, 301)
		require.Equal(t, int64(5), all[300].ID)
		require.Equal(t, midday, all[300].updated(t))
	})
}

func TestTiesLongerThanAPageLoseNobody(t *testing.T) {
	t.Parallel()

	b := setup(t, 0)
	for id := int64(1); id <= 230; id++ {
		require.NoError(t, b.pipedrive.Put(0, person(id, `"2026-11-24T10:00:00Z"`)))
	}
	all := b.walk("limit=50&sort_by=update_time&updated_since=2026-11-24T10:00:00Z", nil)
	require.Equal(t, upTo(230), ids(all))
}

func TestGeneratedTimesTie(t *testing.T) {
	t.Parallel()

	b := setup(t, 30)
	times := map[string]int{}
	for _, c := range b.list("").Data {
		times[*c.UpdateTime]++
	}
	require.Len(t, times, 10)
}

func TestTimeFilters(t *testing.T) {
	t.Parallel()

	const early, late = "2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"
	for name, test := range map[string]struct {
		query string
		want  []int64
	}{
		"the lower bound is included":       {"updated_since=" + late, []int64{2, 3}},
		"the upper bound is not":            {"updated_until=" + late, []int64{1}},
		"both":                              {"updated_since=" + early + "&updated_until=" + late, []int64{1}},
		"no filter shows those without one": {"", []int64{1, 2, 3, 4}},
		"in descending order too":           {"updated_since=" + late + "&sort_by=update_time&sort_direction=desc", []int64{3, 2}},
		"nulls come first":                  {"sort_by=update_time", []int64{4, 1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := setup(t, 0)
			for id, at := range []string{early, late, late} {
				require.NoError(t, b.pipedrive.Put(0, person(int64(id)+1, `"`+at+`"`)))
			}
			require.NoError(t, b.pipedrive.Put(0, person(4, "null")))
			require.Equal(t, test.want, ids(b.list(test.query).Data))
		})
	}
}

func TestTimeFiltersOverGeneratedPersons(t *testing.T) {
	t.Parallel()

	const contacts = 1300
	b := bare(t, contacts)
	all := b.walk("limit=500", nil)
	for _, position := range []int{0, 2, 299, 640, 641, contacts - 1} {
		bound := all[position].updated(t)
		if bound.IsZero() { // null
			bound = all[position-1].updated(t)
		}
		for _, sortBy := range []string{"id", "update_time", "add_time"} {
			var since, until []int64
			for _, c := range all {
				switch {
				case c.UpdateTime == nil:
				case c.updated(t).Before(bound):
					until = append(until, c.ID)
				default:
					since = append(since, c.ID)
				}
			}
			query := "limit=500&sort_by=" + sortBy
			at := url.QueryEscape(bound.Format("2006-01-02T15:04:05Z"))
			require.Equal(t, since, ids(b.walk(query+"&updated_since="+at, nil)), "since, position %d by %s", position, sortBy)
			require.ElementsMatch(t, until, ids(b.walk(query+"&updated_until="+at, nil)), "until, position %d by %s", position, sortBy)
		}
	}
}

func TestQuestionsThatAreRefused(t *testing.T) {
	t.Parallel()

	b := bare(t, 10)
	foreign := b.list("limit=2&sort_by=update_time").next()
	for name, query := range map[string]string{
		"a fraction in the time":        "updated_since=2026-11-24T10:00:00.000Z",
		"an offset in the time":         "updated_since=2026-11-24T10:00:00%2B02:00",
		"a bare date":                   "updated_until=2026-11-24",
		"more than 500 a page":          "limit=501",
		"no page at all":                "limit=0",
		"a limit in words":              "limit=many",
		"an unknown order":              "sort_by=name",
		"an unknown direction":          "sort_direction=up",
		"an unknown parameter":          "start=0",
		"a parameter we do not serve":   "owner_id=7001",
		"a cursor that is not ours":     "cursor=c1",
		"an empty cursor":               "cursor=",
		"a cursor of another order":     "cursor=" + foreign,
		"ids that are not numbers":      "ids=1,x",
		"more than a hundred ids":       "ids=1" + strings.Repeat(",2", 100),
		"a cursor of another direction": "sort_by=update_time&sort_direction=desc&cursor=" + foreign,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := (&bundle{t: t, root: b.root, client: b.client, tokens: b.tokens}).get("/api/v2/persons?" + query)
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
			require.Contains(t, got.body, `"success":false`)
		})
	}
}

func TestPageSizes(t *testing.T) {
	t.Parallel()

	b := bare(t, 600)
	require.Len(t, b.list("").Data, 100)
	require.Len(t, b.list("limit=500").Data, 500)
	b.configure(func(s *sandbox.PipedriveSettings) { s.PageLimit = 7 })
	require.Len(t, b.list("limit=500").Data, 7)
	require.Equal(t, upTo(600), ids(b.walk("limit=500", nil)))
}

func TestHowAListEnds(t *testing.T) {
	t.Parallel()

	for lastPage, want := range map[string]string{
		sandbox.LastPageNull:   `],"additional_data":{"next_cursor":null}}`,
		sandbox.LastPageAbsent: `],"additional_data":{}}`,
		sandbox.LastPageBare:   `]}`,
	} {
		t.Run(lastPage, func(t *testing.T) {
			t.Parallel()

			b := setup(t, 2)
			b.configure(func(s *sandbox.PipedriveSettings) { s.LastPage = lastPage })
			require.True(t, strings.HasSuffix(b.get("/api/v2/persons").body, want))
		})
	}
}

func TestNamedIDs(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	require.True(t, b.pipedrive.Delete(0, 4))
	require.Equal(t, []int64{2, 9}, ids(b.list("ids=9,2,4,4000,2").Data))
	require.Equal(t, []int64{9, 3, 2}, ids(b.walk("ids=2,3,9&limit=1&sort_direction=desc", nil)))
}

func TestDeletions(t *testing.T) {
	t.Parallel()

	const path = "/api/v2/persons/2"

	t.Run("a soft deletion leaves the list and is read as deleted for 30 days", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 3)
		require.True(t, b.pipedrive.Delete(0, 2))
		require.Equal(t, []int64{1, 3}, ids(b.list("").Data))
		got := b.get(path)
		require.Equal(t, http.StatusOK, got.status)
		gone := decode[struct{ Data contact }](t, got.body).Data
		require.True(t, gone.IsDeleted)
		require.Equal(t, midday, gone.updated(t))

		b.sandbox.Advance(30 * 24 * time.Hour)
		b.tokens = b.pipedrive.IssueTokens(0)
		require.Equal(t, http.StatusNotFound, b.get(path).status)
	})

	t.Run("the other readings of the documents", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 3)
		before := b.list("").Data[1]
		b.configure(func(s *sandbox.PipedriveSettings) {
			s.ListDeleted, s.ReadDeleted, s.DeleteMovesTime = true, false, false
		})
		require.True(t, b.pipedrive.Delete(0, 2))
		list := b.list("").Data
		require.Equal(t, upTo(3), ids(list))
		require.True(t, list[1].IsDeleted)
		require.Equal(t, before.UpdateTime, list[1].UpdateTime)
		require.Equal(t, http.StatusNotFound, b.get(path).status)
	})

	t.Run("a purged person and one that never was are not found", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 3)
		require.True(t, b.pipedrive.Purge(0, 2))
		require.Equal(t, http.StatusNotFound, b.get(path).status)
		require.Equal(t, http.StatusNotFound, b.get("/api/v2/persons/99").status)
		require.False(t, b.pipedrive.Delete(0, 2))
	})

	t.Run("the API deletes if the scope covers it", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 3)
		got := b.send(http.MethodDelete, b.root+path, "", "", b.bearer)
		require.Equal(t, http.StatusForbidden, got.status)
		b.configure(func(s *sandbox.PipedriveSettings) { s.Scope = "base,contacts:full" })
		b.tokens = b.pipedrive.IssueTokens(0)
		require.Equal(t, http.StatusOK, b.send(http.MethodDelete, b.root+path, "", "", b.bearer).status)
		require.Equal(t, []int64{1, 3}, ids(b.list("").Data))
	})
}

func TestANarrowedPermissionHidesPersons(t *testing.T) {
	t.Parallel()

	b := setup(t, 20)
	b.configure(func(s *sandbox.PipedriveSettings) { s.Visible = 6 })
	require.Equal(t, upTo(6), ids(b.list("").Data))
	require.Equal(t, http.StatusNotFound, b.get("/api/v2/persons/7").status)
	require.Empty(t, b.list("ids=7").Data)
}

func TestCompaniesHaveTheirOwnPersons(t *testing.T) {
	t.Parallel()

	b := setup(t, 3)
	first := b.get("/api/v2/persons/1").body
	require.NoError(t, b.pipedrive.SetContacts(4243, 5))
	b.tokens = b.pipedrive.IssueTokens(4243)
	require.Len(t, b.list("").Data, 5)
	require.NotEqual(t, first, b.get("/api/v2/persons/1").body)

	me := decode[struct {
		Data struct {
			ID          int    `json:"id"`
			CompanyID   int    `json:"company_id"`
			CompanyName string `json:"company_name"`
		}
	}](t, b.get("/api/v1/users/me").body).Data
	require.Equal(t, 7002, me.ID)
	require.Equal(t, 4243, me.CompanyID)
	require.Equal(t, "Café Lumière SARL", me.CompanyName)
}

func TestOddShapesAreThere(t *testing.T) {
	t.Parallel()

	b := bare(t, 5000)
	var pages strings.Builder
	cursor := ""
	for {
		got := b.get("/api/v2/persons?limit=500" + cursor)
		pages.WriteString(got.body)
		next := decode[page](t, got.body).next()
		if next == "" {
			break
		}
		cursor = "&cursor=" + next
	}
	for name, shape := range map[string]string{
		"no update time": `"update_time":null`, "milliseconds": `:00.000Z"`, "a NUL": `\u0000weird`, "no list": `"emails":null`,
		"a null value": `{"value":null`, "a blank address": `{"value":"","primary":true`, "a remark": "☎ ask reception",
		"two in one": `@example.org, b`, "right to left": "فاطمة", "a long text": strings.Repeat(" long note", 6000), "quotes": `\"Bob\"`,
	} {
		require.Contains(t, pages.String(), shape, name)
	}
}

func TestOddShapesAreWithinTheDocuments(t *testing.T) {
	t.Parallel()

	b := setup(t, 5000)
	require.Len(t, b.list("ids=97,194,291,388,641,50,4999,1,2,3,4,5,6,7,8,9,10,11,12").Data, 19)
	for _, id := range []string{"97", "194", "291", "388", "641"} {
		require.Equal(t, http.StatusOK, b.get(persons+"/"+id).status)
	}
}

func TestRecordsAreTheSameAfterARestart(t *testing.T) {
	t.Parallel()

	first, second := setup(t, 200), setup(t, 200)
	require.Equal(t, first.get("/api/v2/persons?limit=200").body, second.get("/api/v2/persons?limit=200").body)
	second.tokens = first.tokens
	require.Equal(t, http.StatusOK, second.get("/api/v2/persons?limit=1").status, "a connection outlives the sandbox")
	require.Equal(t, http.StatusOK, second.refresh(first.tokens.RefreshToken).status)

	third := setup(t, 200) // which meets the grant only when it ends
	third.tokens = first.tokens
	require.Equal(t, http.StatusOK, third.form("/oauth/revoke", url.Values{"token": {first.tokens.RefreshToken}}).status)
	require.Equal(t, http.StatusUnauthorized, third.get("/api/v2/persons?limit=1").status)
	require.Contains(t, third.refresh(first.tokens.RefreshToken).body, "invalid_grant")
}

func TestAMillionPersons(t *testing.T) {
	t.Parallel()

	const million = 1_000_000
	b := bare(t, million)
	_, err := b.pipedrive.Mutate(0, sandbox.Mutation{Create: 3, Update: 5})
	require.NoError(t, err)

	changed := b.list("sort_by=update_time&limit=500&updated_since=" + midday.Format("2006-01-02T15:04:05Z"))
	require.Len(t, changed.Data, 8)
	require.Empty(t, changed.next())

	last := b.list("sort_by=update_time&sort_direction=desc&limit=500")
	require.Len(t, last.Data, 500)
	middle := b.list("limit=500&sort_by=update_time&updated_since=2018-06-01T00:00:00Z")
	require.Len(t, middle.Data, 500)
	require.Less(t, middle.Data[0].updated(t).Sub(time.Date(2018, 6, 1, 0, 0, 0, 0, time.UTC)), 24*time.Hour)
	require.Equal(t, million+3, b.pipedrive.Companies()[0].Contacts)
}

func TestMutationsAreDisjointAndStamped(t *testing.T) {
	t.Parallel()

	b := setup(t, 100)
	b.sandbox.Advance(time.Minute)
	done, err := b.pipedrive.Mutate(0, sandbox.Mutation{Create: 5, Update: 40, Delete: 40, Purge: 20})
	require.NoError(t, err)

	touched := slices.Concat(done.Created, done.Updated, done.Deleted, done.Purged)
	slices.Sort(touched)
	require.Equal(t, upTo(105), touched)
	require.Equal(t, midday.Add(time.Minute), done.At)
	list := b.list("").Data
	require.Len(t, list, 45)
	for _, c := range list {
		require.Equal(t, midday.Add(time.Minute), c.updated(t))
	}

	_, err = b.pipedrive.Mutate(0, sandbox.Mutation{Update: 30, Delete: 16})
	require.ErrorContains(t, err, "only 45 live")
	require.Len(t, b.list("").Data, 45, "nothing of it was done")
}

func TestAnUpdateChangesTheContent(t *testing.T) {
	t.Parallel()

	b := setup(t, 10)
	seen := map[string]bool{b.get("/api/v2/persons/5").body: true}
	for i := range 3 { // within one second
		require.True(t, b.pipedrive.Update(0, 5))
		body := b.get("/api/v2/persons/5").body
		require.False(t, seen[body], "update %d made nothing new", i)
		seen[body] = true
	}
}

func TestRetiredEndpointsAreGone(t *testing.T) {
	t.Parallel()

	b := bare(t, 1)
	for path, status := range map[string]int{"/api/v1/persons": 410, "/api/v1/recents": 410, "/v2/persons": 404, "/api/v3/persons": 404} {
		require.Equal(t, status, b.get(path).status, path)
	}
}

func TestWebhookSubscriptions(t *testing.T) {
	t.Parallel()

	const good = `{"subscription_url":"https://enlace.example/webhooks/pipedrive","event_action":"*","event_object":"person","name":"enlace","version":"2.0"}`
	create := func(b *bundle, body string) answer {
		b.t.Helper()
		return b.send(http.MethodPost, b.root+"/api/v1/webhooks", "application/json", body, b.bearer)
	}

	t.Run("created, listed, deleted", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 0)
		require.Equal(t, http.StatusCreated, create(b, good).status)
		list := b.get("/api/v1/webhooks")
		require.Contains(t, list.body, `"subscription_url":"https://enlace.example/webhooks/pipedrive"`)
		require.Contains(t, list.body, `"http_auth_user":null`)
		require.Equal(t, http.StatusOK, b.send(http.MethodDelete, b.root+"/api/v1/webhooks/1", "", "", b.bearer).status)
		require.Equal(t, http.StatusNotFound, b.send(http.MethodDelete, b.root+"/api/v1/webhooks/1", "", "", b.bearer).status)
		require.Contains(t, b.get("/api/v1/webhooks").body, `"data":[]`)
	})

	t.Run("a user has at most 40", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 0)
		for range 40 {
			require.Equal(t, http.StatusCreated, create(b, good).status)
		}
		require.Equal(t, http.StatusUnprocessableEntity, create(b, good).status)
		b.tokens = b.pipedrive.IssueTokens(4243)
		require.Equal(t, http.StatusCreated, create(b, good).status)
	})

	t.Run("another company's is not found", func(t *testing.T) {
		t.Parallel()

		b := setup(t, 0)
		require.Equal(t, http.StatusCreated, create(b, good).status)
		b.tokens = b.pipedrive.IssueTokens(4243)
		require.Equal(t, http.StatusNotFound, b.send(http.MethodDelete, b.root+"/api/v1/webhooks/1", "", "", b.bearer).status)
	})

	t.Run("what makes no sense is refused", func(t *testing.T) {
		t.Parallel()

		b := bare(t, 0)
		for _, wrong := range []string{
			strings.Replace(good, "https://enlace.example", "enlace", 1), strings.Replace(good, `"*"`, `"any"`, 1),
			strings.Replace(good, `"person"`, `"people"`, 1), strings.Replace(good, `"enlace"`, `""`, 1),
			strings.Replace(good, `"enlace"`, fmt.Sprintf("%q", strings.Repeat("x", 256)), 1),
			strings.Replace(good, `"2.0"`, `"3"`, 1), "{",
		} {
			require.Equal(t, http.StatusBadRequest, create(b, wrong).status, wrong)
		}
		b.configure(func(s *sandbox.PipedriveSettings) { s.Webhooks = false })
		require.Equal(t, http.StatusUnprocessableEntity, create(b, good).status)
	})
}
