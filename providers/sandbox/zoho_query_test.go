package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

func (b *zohoBundle) coql(query string) answer {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"select_query": query})
	require.NoError(b.t, err)
	return b.ask(http.MethodPost, "/crm/v8/coql", string(body))
}

// rows are the contacts that a query finds.
func (b *zohoBundle) rows(query string) (rows []map[string]any, more bool) {
	b.t.Helper()
	got := b.coql(query)
	if got.status == http.StatusNoContent {
		require.Empty(b.t, got.body)
		return nil, false
	}
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	answer := decode[struct {
		Data []map[string]any `json:"data"`
		Info struct {
			Count       int  `json:"count"`
			MoreRecords bool `json:"more_records"`
		} `json:"info"`
	}](b.t, got.body)
	require.Len(b.t, answer.Data, answer.Info.Count)
	return answer.Data, answer.Info.MoreRecords
}

func (b *zohoBundle) found(query string) []int64 {
	b.t.Helper()
	list, _ := b.rows(query)
	numbers := []int64{}
	for _, row := range list {
		numbers = append(numbers, b.number(row["id"].(string)))
	}
	return numbers
}

func TestZohoCOQLWalksByID(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 1300)
	_, err := b.zoho.Mutate(0, sandbox.Mutation{Update: 40, Create: 20, Delete: 7})
	require.NoError(t, err)
	seen, last := map[int64]bool{}, "0"
	for more := true; more; {
		var page []map[string]any
		page, more = b.rows(fmt.Sprintf("select id, Last_Name from Contacts where id > '%s' order by id asc limit 300", last))
		require.NotEmpty(t, page)
		for _, row := range page {
			n := b.number(row["id"].(string))
			require.False(t, seen[n])
			seen[n] = true
			require.Greater(t, row["id"].(string), last)
			last = row["id"].(string)
		}
	}
	require.Len(t, seen, 1313)
}

func TestZohoCOQLConditions(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 300)
	require.True(t, b.zoho.Update(0, b.zoho.ContactID(0, 7)))
	require.True(t, b.zoho.Delete(0, b.zoho.ContactID(0, 8)))
	ids := strings.NewReplacer("#298", b.zoho.ContactID(0, 298), "#299", b.zoho.ContactID(0, 299), "#3", b.zoho.ContactID(0, 3), "#7", b.zoho.ContactID(0, 7), "#8", b.zoho.ContactID(0, 8))
	for where, want := range map[string][]int64{
		"id > '#298'":                        {299, 300},
		"id >= '#298' limit 2":               {298, 299},
		"id < #3":                            {1, 2},
		"id <= '#3' order by id desc":        {3, 2, 1},
		"id < '#3' order by id desc limit 1": {2},
		"id > '#298' and id < '#299'":        {},
		"id > '0' and Modified_Time >= '2026-11-24T13:00:00+01:00'": {7},
		"Modified_Time > '2026-11-24T12:00:00Z'":                    {},
		"((id >= '#7' and id <= '#8') and id is not null)":          {7},
		"id in ('#3', '#8', '#7')":                                  {3, 7},
		"id in ('#7','#3','99') order by id desc":                   {7, 3},
		"id = '#3'":                                    {3},
		"id != '#3' limit 3":                           {1, 2, 4},
		"id > '0' limit 2 offset 3":                    {4, 5},
		"id > '0' limit 3, 2":                          {4, 5},
		"id > '0' order by Modified_Time desc limit 1": {7},
	} {
		require.Equal(t, want, b.found("select Last_Name from Contacts where "+ids.Replace(where)), where)
	}
	list, more := b.rows("SELECT id FROM Contacts WHERE id is not null")
	require.Len(t, list, 200, "the default limit")
	require.True(t, more)
}

func TestZohoCOQLShowsLookupsAsIDs(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	row, _ := b.rows("select Account_Name, Account_Name.Account_Name, Owner, Tag, Email_Opt_Out, Vendor_Name from Contacts where id = '" + b.zoho.ContactID(0, 1) + "'")
	require.Len(t, row, 1)
	account := row[0]["Account_Name"].(map[string]any)
	require.Len(t, account, 1)
	require.Regexp(t, `^\d{18}$`, account["id"])
	require.NotEmpty(t, row[0]["Account_Name.Account_Name"])
	require.Len(t, row[0]["Owner"], 1)
	require.IsType(t, []any{}, row[0]["Tag"])
	require.Equal(t, false, row[0]["Email_Opt_Out"])
	require.Contains(t, row[0], "Vendor_Name")
	require.Nil(t, row[0]["Vendor_Name"])
	require.NotContains(t, row[0], "Email")
}

func TestZohoCOQLRefusals(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 3)
	columns := strings.TrimSuffix(strings.Repeat("Email, ", 51), ", ")
	conditions := "id > '0'"
	for range 25 {
		conditions = "(" + conditions + " and id > '0')"
	}
	for query, code := range map[string]string{
		"select id from Contacts":                                                  "SYNTAX_ERROR",
		"select id from Contacts where id > '1' limit x":                           "SYNTAX_ERROR",
		"select id from Contacts where id > '1' and id > '2' and id > '3'":         "SYNTAX_ERROR",
		"select id from Contacts where (id > '1'":                                  "SYNTAX_ERROR",
		"select id from Contacts where id ~ '1'":                                   "SYNTAX_ERROR",
		"delete from Contacts":                                                     "SYNTAX_ERROR",
		"select Nonsense from Contacts where id > '1'":                             "INVALID_QUERY",
		"select Account_Name.Phone from Contacts where id > '1'":                   "INVALID_QUERY",
		"select id from Leads where id > '1'":                                      "INVALID_QUERY",
		"select id from Contacts where id > 'x'":                                   "INVALID_QUERY",
		"select id from Contacts where Email = 'x'":                                "INVALID_QUERY",
		"select id from Contacts where Modified_Time > 'x'":                        "INVALID_QUERY",
		"select id from Contacts where id > '1' order by Email":                    "INVALID_QUERY",
		"select id from Contacts where id > '1' limit 2001":                        "LIMIT_EXCEEDED",
		"select id from Contacts where id > '1' limit 200 offset 99801":            "LIMIT_EXCEEDED",
		"select " + columns + " from Contacts where id > '1'":                      "LIMIT_EXCEEDED",
		"select id from Contacts where " + conditions:                              "LIMIT_EXCEEDED",
		"select id from Contacts where id in (" + strings.Repeat("1,", 100) + "1)": "LIMIT_EXCEEDED",
	} {
		got := b.coql(query)
		require.Equal(t, http.StatusBadRequest, got.status, query)
		require.Equal(t, code, errorCode(t, got.body), query)
	}
	got := b.ask(http.MethodPost, "/crm/v8/coql", `{}`)
	require.Equal(t, "MANDATORY_NOT_FOUND", errorCode(t, got.body))
}

func TestZohoCOQLCostsByItsLimit(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	used := func() int { return b.zoho.Orgs()[0].CreditsUsed }
	for limit, cost := range map[string]int{"": 1, " limit 200": 1, " limit 201": 2, " limit 1000": 2, " limit 1001": 3, " limit 2000": 3, " limit 5, 2000": 3} {
		before := used()
		b.rows("select id from Contacts where id > '0' order by id asc" + limit)
		require.Equal(t, cost, used()-before, limit)
	}
}

func TestZohoCOQLNeedsItsScope(t *testing.T) {
	t.Parallel()

	for scope, status := range map[string]int{
		"ZohoCRM.modules.ALL":                             http.StatusUnauthorized,
		"ZohoCRM.coql.READ":                               http.StatusUnauthorized,
		"ZohoCRM.coql.READ,ZohoCRM.modules.contacts.READ": http.StatusOK,
	} {
		b := bareZoho(t, 3)
		b.configure(func(s *sandbox.ZohoSettings) { s.Scope = scope })
		b.use(0)
		got := b.coql("select id from Contacts where id > '0'")
		require.Equal(t, status, got.status, scope)
		if status == http.StatusUnauthorized {
			require.Equal(t, "OAUTH_SCOPE_MISMATCH", errorCode(t, got.body))
		}
	}
}
