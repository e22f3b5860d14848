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

func TestHubSpotListVisitsEveryContactOnceInOrder(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 250)
	_, err := h.hubspot.Mutate(0, sandbox.Mutation{Update: 40, Create: 20})
	require.NoError(t, err)
	require.Equal(t, hubIDs(upTo(270)...), h.walkList("limit=97", nil))
	require.Len(t, idText(40), 13)
	require.Len(t, idText(41), 14, "ids grow a digit on the way")
}

func TestHubSpotListWhileContactsChange(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 30)
	all := h.walkList("limit=10", func(page int) {
		if page == 1 {
			require.True(t, h.hubspot.Delete(0, hubID+4), "already listed")
			require.True(t, h.hubspot.Delete(0, hubID+14))
			require.True(t, h.hubspot.Update(0, hubID+19))
			_, err := h.hubspot.Mutate(0, sandbox.Mutation{Create: 1})
			require.NoError(t, err)
		}
	})
	require.Equal(t, slices.DeleteFunc(hubIDs(upTo(31)...), func(id int64) bool { return id == hubID+14 }), all)
}

func TestHubSpotPages(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 120)
	page := h.list("")
	require.Len(t, page.Results, 10)
	require.Equal(t, idText(11), page.next())
	require.Equal(t, "https://api.hubapi.com"+hubContacts+"?after="+idText(11), page.Paging.Next.Link, "another host's word")
	require.Len(t, h.list("limit=100").Results, 100)
	require.NotContains(t, h.get(hubContacts+"?limit=100&after="+idText(101)).body, "paging", "the end is silent")
	h.set(func(s *sandbox.HubSpotSettings) { s.PageLimit = 7 })
	require.Len(t, h.list("limit=100").Results, 7)
}

func TestHubSpotOnlyAskedPropertiesCome(t *testing.T) {
	t.Parallel()

	names := func(h *hub, query string) []string {
		var out []string
		for name := range h.list(query).Results[0].Properties {
			out = append(out, name)
		}
		slices.Sort(out)
		return out
	}
	h := hubSetup(t, 3)
	require.Equal(t, []string{"createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"}, names(h, ""))
	require.Equal(t, []string{"phone"}, names(h, "properties=phone"))
	require.Equal(t, []string{"email", "hs_additional_emails"}, names(h, "properties=email,nobody_knows,hs_additional_emails,,email"))

	asked := h.list("properties=hs_additional_emails,loyalty_points,newsletter,interests,hs_merged_object_ids").Results
	require.Nil(t, asked[0].Properties["hs_additional_emails"])
	require.Nil(t, asked[0].Properties["hs_merged_object_ids"])
	require.NotEmpty(t, asked[2].text("hs_additional_emails"))
	require.Equal(t, "1", asked[0].text("loyalty_points"), "all values are text")
	require.Equal(t, "false", asked[0].text("newsletter"))
	require.Equal(t, "tools;coffee", asked[2].text("interests"))
}

func TestHubSpotListRefuses(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 3)
	for name, query := range map[string]string{
		"more than 100 a page":   "limit=101",
		"no page at all":         "limit=0",
		"a limit in words":       "limit=many",
		"a cursor of words":      "after=abc",
		"a negative cursor":      "after=-1",
		"an empty cursor":        "after=",
		"a flag that is none":    "archived=yes",
		"an unknown parameter":   "offset=3",
		"what we do not serve":   "associations=companies",
		"a history not served":   "propertiesWithHistory=email",
		"a cursor of many digit": "after=" + strings.Repeat("9", 30),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := h.with(t).get(hubContacts + "?" + query)
			require.Equal(t, http.StatusBadRequest, got.status, got.body)
			require.Contains(t, got.body, `"category":"VALIDATION_ERROR"`)
			require.Contains(t, got.body, `"correlationId":"`)
		})
	}
}

func TestHubSpotRefusesALongAddress(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 1)
	address := hubContacts + "?properties="
	require.Equal(t, http.StatusOK, h.get(address+strings.Repeat("x", 8000-len(address))).status)
	got := h.get(address + strings.Repeat("x", 8001-len(address)))
	require.Equal(t, http.StatusRequestURITooLong, got.status)
	require.Contains(t, got.body, "<html>")
}

func TestHubSpotReadsOne(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5)
	got := h.get(hubContacts + "/" + idText(2) + "?properties=phone")
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.body, `"properties":{"phone":"`)
	require.Equal(t, idText(2), decode[hubContact](t, got.body).ID)
	for _, id := range []string{idText(6), "1", "x", strings.Repeat("9", 30), "-3"} {
		require.Equal(t, http.StatusNotFound, h.get(hubContacts+"/"+id).status, id)
	}
	bare := hubBare(t, 5)
	require.Equal(t, http.StatusBadRequest, bare.get(hubContacts+"/"+idText(2)+"?idProperty=email").status)
	require.Equal(t, http.StatusBadRequest, bare.get(hubContacts+"/"+idText(2)+"?archived=perhaps").status)
}

// inputs is the body of a batch read.
func inputs(ids ...int64) string {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(`{"id":"%d"}`, id))
	}
	return `{"inputs":[` + strings.Join(list, ",") + `],"properties":["email"],"propertiesWithHistory":[]}`
}

func TestHubSpotBatchRead(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 150)
	got := h.post(hubBatch, inputs(hubIDs(3, 1, 3, 2)...))
	require.Equal(t, http.StatusOK, got.status, got.body)
	page := decode[hubPage](t, got.body)
	require.Equal(t, hubIDs(1, 2, 3), page.ids(t), "in the store's order, each once")
	require.Contains(t, page.Results[0].text("email"), "@example.com")
	require.Equal(t, http.StatusOK, h.post(hubBatch, inputs(hubIDs(upTo(100)...)...)).status)

	require.True(t, h.hubspot.Delete(0, hubID+1))
	require.True(t, h.hubspot.Purge(0, hubID+2))
	missing := inputs(hubIDs(1, 2, 3, 999, 999)...)
	got = h.post(hubBatch, missing)
	require.Equal(t, http.StatusMultiStatus, got.status, got.body)
	page = decode[hubPage](t, got.body)
	require.Equal(t, hubIDs(1), page.ids(t))
	require.Equal(t, "OBJECT_NOT_FOUND", page.Errors[0].Category)
	require.Equal(t, []string{idText(2), idText(3), idText(999)}, page.Errors[0].Context["ids"])

	page = decode[hubPage](t, h.post(hubBatch+"?archived=true", missing).body)
	require.Equal(t, hubIDs(2), page.ids(t))
	require.True(t, page.Results[0].Archived)

	h.set(func(s *sandbox.HubSpotSettings) { s.BatchMissing = sandbox.BatchMissingSilent })
	got = h.post(hubBatch, missing)
	require.Equal(t, http.StatusOK, got.status)
	require.NotContains(t, got.body, "errors")
}

func TestHubSpotBatchRefuses(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 3)
	for name, test := range map[string]struct {
		kind, body string
		status     int
	}{
		"more than 100":             {"application/json", inputs(upTo(101)...), 400},
		"no list of histories":      {"application/json", `{"inputs":[],"properties":[]}`, 400},
		"no properties":             {"application/json", `{"inputs":[],"propertiesWithHistory":[]}`, 400},
		"no inputs":                 {"application/json", `{"properties":[],"propertiesWithHistory":[]}`, 400},
		"histories":                 {"application/json", `{"inputs":[],"properties":[],"propertiesWithHistory":["email"]}`, 400},
		"another way to name":       {"application/json", `{"idProperty":"email"}`, 400},
		"ids that are numbers":      {"application/json", `{"inputs":[{"id":1}],"properties":[],"propertiesWithHistory":[]}`, 400},
		"nothing":                   {"application/json", ``, 400},
		"half of it":                {"application/json", `{"inputs":[`, 400},
		"another kind of body":      {"text/plain", inputs(1), 415},
		"a body that hides its kin": {"", inputs(1), 415},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			h := h.with(t)
			got := h.send(http.MethodPost, h.root+hubBatch, test.kind, test.body, h.bearer)
			require.Equal(t, test.status, got.status, got.body)
			require.Contains(t, got.body, "VALIDATION_ERROR")
		})
	}
}

func TestHubSpotPortalsHaveTheirOwnContacts(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 3)
	first := h.get(hubContacts + "/" + idText(1)).body
	require.NoError(t, h.hubspot.SetContacts(4243, 5))
	h.tokens = h.hubspot.IssueTokens(4243)
	require.Len(t, h.list("").Results, 5)
	require.NotEqual(t, first, h.get(hubContacts+"/"+idText(1)).body)
	require.Equal(t, []sandbox.Portal{
		{ID: 4242, UserID: 7001, Name: "Nordlicht GmbH", Domain: "nordlicht-gmbh.example", TimeZone: "Europe/Berlin", Contacts: 3},
		{ID: 4243, UserID: 7002, Name: "Café Lumière SARL", Domain: "cafe-lumiere.example", TimeZone: "Europe/Paris", Contacts: 5},
		{ID: 4244, UserID: 7003, Name: "Estúdio Ótimo Ltda", Domain: "estudio-otimo.example", TimeZone: "America/Sao_Paulo", Contacts: 3},
	}, h.hubspot.Portals())
}

func TestHubSpotOddShapesAreThere(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 5000)
	var pages strings.Builder
	after := ""
	const all = "email,hs_additional_emails,firstname,lastname,phone,mobilephone,company,jobtitle,lastmodifieddate,hs_object_id,message"
	for {
		got := h.get(hubContacts + "?limit=100&properties=" + all + after)
		pages.WriteString(got.body)
		next := decode[hubPage](t, got.body).next()
		if next == "" {
			break
		}
		after = "&after=" + url.QueryEscape(next)
	}
	for name, shape := range map[string]string{
		"no modification time": `"lastmodifieddate":null`, "a NUL": `"firstname":"\u0000weird\u0007"`, "a NUL in a phone": `"phone":"\u0000☎"`,
		"no address": `"email":null`, "a blank name": `"firstname":"",`, "a name of space": `"lastname":" "`, "blank addresses": `@example.org; ;`,
		"a remark": "☎ ask reception", "right to left": "فاطمة", "an emoji": "🐉", "quotes": `\"Bob\"`,
		"missing keys": `"properties":{"firstname":"李小龍 🐉","hs_object_id":"`, "a long text": strings.Repeat(" long note", 6000),
	} {
		require.Contains(t, pages.String(), shape, name)
	}
}

func TestHubSpotOddShapesAreWithinTheDocuments(t *testing.T) {
	t.Parallel()

	h := hubSetup(t, 5000)
	for _, number := range []int64{97, 194, 291, 388, 641, 4999} {
		require.Equal(t, http.StatusOK, h.get(hubContacts+"/"+idText(number)).status)
	}
	timeless := decode[hubContact](t, h.get(hubContacts+"/"+idText(641)).body)
	require.Nil(t, timeless.Properties["lastmodifieddate"])
	require.False(t, timeless.UpdatedAt.IsZero(), "updatedAt is always there")
	later := decode[hubContact](t, h.get(hubContacts+"/"+idText(5)).body)
	require.Equal(t, 7*time.Millisecond, later.UpdatedAt.Sub(later.modified(t)), "the two times may differ a little")
}

func TestHubSpotContactsAreTheSameAfterARestart(t *testing.T) {
	t.Parallel()

	first, second := hubSetup(t, 100), hubSetup(t, 100)
	require.Equal(t, first.get(hubContacts+"?limit=100").body, second.get(hubContacts+"?limit=100").body)
	second.tokens = first.tokens
	require.Equal(t, http.StatusOK, second.get(hubContacts).status, "a connection outlives the sandbox")
	require.Equal(t, http.StatusOK, second.refresh(hubToken, first.tokens.RefreshToken).status)
}

func TestHubSpotMillionContacts(t *testing.T) {
	t.Parallel()

	const million = 1_000_000
	h := hubBare(t, million)
	_, err := h.hubspot.Mutate(0, sandbox.Mutation{Create: 3, Update: 5})
	require.NoError(t, err)
	require.Len(t, h.changedSince(midday, midday.Add(time.Second), 200, nil), 8)
	require.Equal(t, million+3, *h.search(`{"filterGroups":[],"limit":1}`).Total)
	page := h.list("limit=100&after=" + idText(million))
	require.Equal(t, hubIDs(million, million+1, million+2, million+3), page.ids(t))
}

func TestHubSpotServesTheDatedPathsToo(t *testing.T) {
	t.Parallel()

	h := hubBare(t, 5)
	require.Equal(t, http.StatusOK, h.get("/crm/objects/2026-03/contacts").status)
	require.Equal(t, http.StatusOK, h.post("/crm/objects/2026-03/contacts/search", `{}`).status)
	require.Equal(t, http.StatusOK, h.refresh("/oauth/2026-03/token", h.tokens.RefreshToken).status)
	for _, path := range []string{"/crm/v4/objects/contacts", "/crm/v3/objects/companies", "/contacts/v1/lists/all/contacts/all"} {
		require.Equal(t, http.StatusNotFound, h.get(path).status, path)
	}
	require.Equal(t, 1, h.hubspot.Calls()["/crm/objects/2026-03/contacts"])
}
