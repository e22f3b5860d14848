package sandbox_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
)

const fieldsOfContacts = "/crm/v8/settings/fields?module=Contacts"

func (b *zohoBundle) fields() map[string]map[string]any {
	b.t.Helper()
	got := b.get(fieldsOfContacts)
	require.Equal(b.t, http.StatusOK, got.status, got.body)
	byName := map[string]map[string]any{}
	for _, f := range decode[struct{ Fields []map[string]any }](b.t, got.body).Fields {
		byName[f["api_name"].(string)] = f
	}
	return byName
}

func TestZohoFields(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 3)
	fields := b.fields()
	require.Len(t, fields, 56)
	require.Equal(t, true, fields["Last_Name"]["system_mandatory"])
	require.EqualValues(t, 255, fields["Last_Name"]["length"])
	require.Equal(t, false, fields["Email"]["custom_field"])
	require.Equal(t, true, fields["Interests"]["custom_field"])
	require.Equal(t, "multiselectpicklist", fields["Interests"]["data_type"])
	require.Equal(t, "jsonobject", fields["Account_Name"]["json_type"])
	require.NotContains(t, fields, "Geo_Position")
	var contact map[string]any
	read := func() {
		got := b.get(allContacts + "/" + b.zoho.ContactID(0, 1))
		contact = decode[struct{ Data []map[string]any }](t, got.body).Data[0]
	}
	read()
	for name := range contact {
		require.Contains(t, fields, name)
	}

	b.configure(func(s *sandbox.ZohoSettings) { s.OddFields = true })
	fields = b.fields()
	require.Len(t, fields, 58)
	require.NotContains(t, fields["Legacy_Code"], "json_type")
	require.NotContains(t, fields["Legacy_Code"], "length")
	require.Equal(t, "geolocation", fields["Geo_Position"]["data_type"])
	require.Equal(t, true, fields["Geo_Position"]["custom_field"])
	read()
	require.Equal(t, "legacy 1", contact["Legacy_Code"])
	require.IsType(t, map[string]any{}, contact["Geo_Position"])
	got := b.get(allContacts + "?fields=Geo_Position&per_page=1")
	require.IsType(t, map[string]any{}, decode[struct{ Data []map[string]any }](t, got.body).Data[0]["Geo_Position"])

	for path, code := range map[string]string{
		"/crm/v8/settings/fields":              "REQUIRED_PARAM_MISSING",
		"/crm/v8/settings/fields?module=Leads": "INVALID_MODULE",
		fieldsOfContacts + "&type=unused":      "INVALID_DATA",
		fieldsOfContacts + "&page=1":           "INVALID_DATA",
	} {
		got := b.get(path)
		require.Equal(t, http.StatusBadRequest, got.status, path)
		require.Equal(t, code, errorCode(t, got.body), path)
	}
}

func TestZohoOrgAndUser(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 1)
	b.configure(func(s *sandbox.ZohoSettings) { s.OrgType = "Sandbox" })
	seen := map[string]bool{}
	for _, o := range b.zoho.Orgs() {
		b.use(o.ID)
		got := b.get("/crm/v8/org")
		require.Equal(t, http.StatusOK, got.status, got.body)
		org := decode[struct{ Org []map[string]any }](t, got.body).Org[0]
		require.Equal(t, o.Name, org["company_name"])
		require.Equal(t, "Sandbox", org["type"])
		require.NotEmpty(t, org["time_zone"])

		got = b.get("/crm/v8/users?type=CurrentUser")
		require.Equal(t, http.StatusOK, got.status, got.body)
		users := decode[struct{ Users []map[string]any }](t, got.body).Users
		require.Len(t, users, 1)
		require.Equal(t, o.UserID, users[0]["id"])
		require.Contains(t, users[0]["email"], "@")
		seen[org["zgid"].(string)+users[0]["id"].(string)] = true
	}
	require.Len(t, seen, 3)
	require.Equal(t, http.StatusNoContent, b.get("/crm/v8/users?type=DeactiveUsers").status)
	require.Equal(t, http.StatusNoContent, b.get("/crm/v8/users?page=2").status)
}

func TestZohoEachRouteNeedsItsScope(t *testing.T) {
	t.Parallel()

	b := bareZoho(t, 1)
	paths := []string{allContacts + "?fields=Email", "/crm/v8/org", "/crm/v8/users?type=CurrentUser", fieldsOfContacts, "/crm/v8/actions/watch"}
	for scope, allowed := range map[string][]string{
		"ZohoCRM.modules.contacts.READ": paths[:1], "ZohoCRM.org.READ": paths[1:2], "ZohoCRM.users.READ": paths[2:3],
		"ZohoCRM.settings.fields.READ": paths[3:4], "ZohoCRM.settings.ALL": paths[3:4], "ZohoCRM.notifications.ALL": paths[4:],
	} {
		b.configure(func(s *sandbox.ZohoSettings) { s.Scope = scope })
		b.use(0)
		for _, path := range paths {
			got := b.get(path)
			if slices.Contains(allowed, path) {
				require.Less(t, got.status, 300, "%s with %s: %s", path, scope, got.body)
				continue
			}
			require.Equal(t, http.StatusUnauthorized, got.status, "%s with %s", path, scope)
			require.Equal(t, "OAUTH_SCOPE_MISMATCH", errorCode(t, got.body))
		}
	}
}

func TestZohoContactsAreTheEndState(t *testing.T) {
	t.Parallel()

	b := zohoSetup(t, 40)
	_, err := b.zoho.Mutate(0, sandbox.Mutation{Create: 3, Update: 5, Delete: 2, Purge: 2})
	require.NoError(t, err)
	kept, err := b.zoho.Contacts(0, "", 100)
	require.NoError(t, err)
	require.Len(t, kept, 39)
	for _, text := range kept {
		var c zohoContact
		require.NoError(t, json.Unmarshal(text, &c))
		got := b.get(allContacts + "/" + c.ID)
		require.JSONEq(t, `{"data":[`+string(text)+`]}`, got.body)
	}
}
