package words_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/words"
)

func TestRedact(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct{ in, out string }{
		"plain words stay":                {"Recipient phone number not in allowed list", "Recipient phone number not in allowed list"},
		"a provider's numbers stay":       {"(#131030) code: 131030, error_code=100, HTTP 422", "(#131030) code: 131030, error_code=100, HTTP 422"},
		"a provider's names stay":         {"DISCRETE_PAGINATION_LIMIT_EXCEEDED in custom_field.organization_id", "DISCRETE_PAGINATION_LIMIT_EXCEEDED in custom_field.organization_id"},
		"an address stays":                {"see https://api.pipedrive.com/api/v2/persons", "see https://api.pipedrive.com/api/v2/persons"},
		"a date stays":                    {"valid until 2026-11-25 10:22", "valid until 2026-11-25 10:22"},
		"a sentence after a colon stays":  {"Invalid token: expired", "Invalid token: expired"},
		"a bearer token":                  {"Authorization: Bearer abc.def", "Authorization: Bearer ***"},
		"a basic credential":              {"sent Basic dXNlcjpw", "sent Basic ***"},
		"a Zoho token":                    {"Zoho-oauthtoken 1000.aa.bb", "Zoho-oauthtoken ***"},
		"a scheme twice":                  {"bearer Bearer abc", "bearer Bearer ***"},
		"plain words after a scheme stay": {"not in your basic plan; the bearer token expired", "not in your basic plan; the bearer token expired"},
		"a query":                         {"GET https://x.example/cb?code=1&state=2 failed", "GET https://x.example/cb?*** failed"},
		"a user in an address":            {"postgres://enlace:pass@db/enlace", "postgres://***@db/enlace"},
		"a named value":                   {"client_secret=abc123&x=1", "client_secret=***&x=1"},
		"a named value in JSON":           {`{"access_token":"abc","n":1}`, `{"access_token":***,"n":1}`},
		"a named value in quoted JSON":    {`{\"refresh_token\":\"abc\",\"n\":1}`, `{\"refresh_token\":***,\"n\":1}`},
		"a password in a sentence":        {"password: hunter", "password: ***"},
		"a code of the callback":          {"code=abc", "code=***"},
		"a hexadecimal token":             {"got 0123456789abcdef0123456789abcdef01234567", "got ***"},
		"a base64 token without digits":   {"got aBcDeFgHiJkLmNoPqRsTuVwXyZ", "got ***"},
		"a long string without a pattern": {"got abcdefghijklmnopqrstuvwxyz", "got ***"},
		"a token with few digits":         {"got WKYco-WQR-gtsSW1T3WOC4TYv5OYUruM5x_TSJBqngo", "got ***"},
		"a long string of small parts":    {"got a1.b2.c3.d4.e5.f6.g7", "got ***"},
		"an e-mail address":               {"person ana.ruiz+x@ejemplo.com.mx exists", "person *** exists"},
		"an e-mail address in Spanish":    {"<josé@ñandú.ar>", "<***>"},
		"a phone number":                  {"to +52 (55) 1234-5678, again", "to ***, again"},
		"a bare phone number":             {"wa_id 5215512345678", "wa_id ***"},
		"control characters":              {"a\x00b\r\nc\x1b[31m", "a b c [31m"},
		"invisible characters":            {"pass\u200bword=x\u202e", "password=***"},
		"bytes that are no text":          {"a\xff\xfeb", "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, tt.out, words.Redact(tt.in))
			require.Equal(t, tt.out, words.Redact(tt.out), "twice is as once")
		})
	}

	t.Run("no half of a token at the bound", func(t *testing.T) {
		t.Parallel()

		text := strings.Repeat("word ", 1636) + "secretsecretsecret"
		require.NotContains(t, words.Redact(text), "sec")
	})
}

func TestDetailIsQuotedAndBounded(t *testing.T) {
	t.Parallel()

	say := func(detail string) string {
		return words.Render(words.En, words.InvalidRequest, "", words.Args{Provider: "X", Detail: detail}).Sentence
	}
	require.Equal(t, `X says: "The field 'name' is bad"`, say(`The field "name" is bad`))
	long := say(strings.Repeat("palabra é ", 50))
	require.Equal(t, 200, utf8.RuneCountInString(strings.TrimSuffix(strings.TrimPrefix(long, `X says: "`), `"`)))
	require.True(t, strings.HasSuffix(long, `…"`))
	require.Equal(t, `X says: "token=***"`, say("token=abc"))
	require.Equal(t, "X did not accept this", say("\x00 \n"), "a detail without words is none")
}

func clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
