package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const goodKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// serverEnv is enough for `enlace serve` to begin; the database of it doesn't exist.
func serverEnv(more ...string) []string {
	return append([]string{
		"DATABASE_URL=postgres://enlace:geheim@127.0.0.1:1/enlace", "ENCRYPTION_KEY=" + goodKey,
		"PUBLIC_URL=https://enlace.example.com", "LISTEN_ADDR=127.0.0.1:0",
	}, more...)
}

func TestBadConfigurationStopsTheStartWithOneLine(t *testing.T) {
	t.Parallel()

	const (
		database  = "it must look like postgres://user:password@host:5432/database; get it from your Postgres server, or Supabase: Connect, Session pooler"
		key       = "it must look like 64 hexadecimal digits; make one with: openssl rand -hex 32"
		public    = "it must look like https://enlace.example.com; it is where browsers and providers reach this server"
		boolean   = "it must look like true or false; "
		long      = "it must look like at least 32 characters; "
		pipedrive = "it must look like https://oauth.pipedrive.com; it is your proxy or sandbox; leave it out for Pipedrive itself"
	)
	for name, tt := range map[string]struct {
		env  []string // after serverEnv's
		line string   // the beginning of what is said
	}{
		"no database":                        {[]string{"DATABASE_URL="}, "DATABASE_URL is missing: " + database},
		"a database of another make":         {[]string{"DATABASE_URL=mysql://geheim@host/db"}, "DATABASE_URL is malformed: " + database},
		"a database without a host":          {[]string{"DATABASE_URL=geheim"}, "DATABASE_URL is malformed: " + database},
		"a database with a bad port":         {[]string{"DATABASE_URL=postgres://u:geheim@host:port/db"}, "DATABASE_URL is malformed: " + database},
		"a direct database of another make":  {[]string{"DATABASE_DIRECT_URL=geheim"}, "DATABASE_DIRECT_URL is malformed: it must look like postgres://"},
		"polling or not":                     {[]string{"DATABASE_POLL_ONLY=geheim"}, "DATABASE_POLL_ONLY is malformed: " + boolean + "it is true where DATABASE_URL is a transaction pooler"},
		"no key":                             {[]string{"ENCRYPTION_KEY="}, "ENCRYPTION_KEY is missing: " + key},
		"a key that is too short":            {[]string{"ENCRYPTION_KEY=abcd"}, "ENCRYPTION_KEY is malformed: " + key},
		"a key that is no hexadecimal":       {[]string{"ENCRYPTION_KEY=" + strings.Repeat("geheim!!", 8)}, "ENCRYPTION_KEY is malformed: " + key},
		"an old key that is too short":       {[]string{"ENCRYPTION_KEYS_OLD=" + goodKey + ",geheim"}, "ENCRYPTION_KEYS_OLD is malformed: it must look like keys of 64 hexadecimal digits each"},
		"another token format":               {[]string{"TOKEN_FORMAT=legacy"}, "TOKEN_FORMAT is malformed: it must look like v1"},
		"an address without a port":          {[]string{"LISTEN_ADDR=geheim"}, "LISTEN_ADDR is malformed: it must look like 127.0.0.1:8080"},
		"an address with a port too high":    {[]string{"LISTEN_ADDR=:70000"}, "LISTEN_ADDR is malformed: it must look like 127.0.0.1:8080"},
		"no public address":                  {[]string{"PUBLIC_URL="}, "PUBLIC_URL is missing: " + public},
		"a public address without a scheme":  {[]string{"PUBLIC_URL=enlace.example.com"}, "PUBLIC_URL is malformed: " + public},
		"a public address with a password":   {[]string{"PUBLIC_URL=https://u:geheim@enlace.example.com"}, "PUBLIC_URL is malformed: " + public},
		"a dashboard of another scheme":      {[]string{"DASHBOARD_URL=ftp://app.example.com"}, "DASHBOARD_URL is malformed: it must look like https://app.example.com/integrations"},
		"an origin without a scheme":         {[]string{"ALLOWED_ORIGINS=https://a.example.com,b.example.com"}, "ALLOWED_ORIGINS is malformed: it must look like https://app.example.com,https://admin.example.com"},
		"a level that doesn't exist":         {[]string{"LOG_LEVEL=loud"}, "LOG_LEVEL is malformed: it must look like debug, info, warn or error"},
		"no workers":                         {[]string{"WORKERS=0"}, "WORKERS is malformed: it must look like a number from 1 to 1000"},
		"a country that doesn't exist":       {[]string{"DEFAULT_PHONE_REGION=mx"}, "DEFAULT_PHONE_REGION is malformed: it must look like two capital letters such as MX"},
		"an admin key that can be guessed":   {[]string{"ENLACE_ADMIN_KEY=geheim"}, "ENLACE_ADMIN_KEY is malformed: " + long + "make one with: openssl rand -hex 32"},
		"a JWT secret that can be guessed":   {[]string{"SUPABASE_JWT_SECRET=geheim"}, "SUPABASE_JWT_SECRET is malformed: " + long + "get it from Supabase"},
		"keys at no address":                 {[]string{"SUPABASE_JWKS_URL=geheim"}, "SUPABASE_JWKS_URL is malformed: it must look like https://<project>.supabase.co/auth/v1/.well-known/jwks.json"},
		"a project at no address":            {[]string{"SUPABASE_URL=geheim"}, "SUPABASE_URL is malformed: it must look like https://<project>.supabase.co; get it from Supabase"},
		"bare connects or not":               {[]string{"CONNECT_ALLOW_BARE=geheim"}, "CONNECT_ALLOW_BARE is malformed: " + boolean},
		"an id without its secret":           {[]string{"PIPEDRIVE_CLIENT_ID=geheim"}, "PIPEDRIVE_CLIENT_SECRET is missing although PIPEDRIVE_CLIENT_ID is set: it must look like the app's client secret; get it from Pipedrive: Developer Hub"},
		"a secret without its id":            {[]string{"PIPEDRIVE_CLIENT_SECRET=geheim"}, "PIPEDRIVE_CLIENT_ID is missing although PIPEDRIVE_CLIENT_SECRET is set: it must look like the app's client id; get it from Pipedrive: Developer Hub"},
		"a host without a scheme":            {[]string{"PIPEDRIVE_AUTH_BASE_URL=geheim"}, "PIPEDRIVE_AUTH_BASE_URL is malformed: " + pipedrive},
		"an API host without a scheme":       {[]string{"PIPEDRIVE_API_BASE_URL=geheim"}, "PIPEDRIVE_API_BASE_URL is malformed: it must look like https://api.pipedrive.com"},
		"Zoho's id without its secret":       {[]string{"ZOHO_CLIENT_ID=geheim"}, "ZOHO_CLIENT_SECRET is missing although ZOHO_CLIENT_ID is set: "},
		"Zoho's secret without its id":       {[]string{"ZOHO_CLIENT_SECRET=geheim"}, "ZOHO_CLIENT_ID is missing although ZOHO_CLIENT_SECRET is set: "},
		"Zoho's accounts at no address":      {[]string{"ZOHO_ACCOUNTS_BASE_URL=geheim"}, "ZOHO_ACCOUNTS_BASE_URL is malformed: it must look like https://accounts.zoho.com"},
		"Zoho's API at no address":           {[]string{"ZOHO_API_BASE_URL=geheim"}, "ZOHO_API_BASE_URL is malformed: it must look like https://www.zohoapis.com"},
		"HubSpot's id without its secret":    {[]string{"HUBSPOT_CLIENT_ID=geheim"}, "HUBSPOT_CLIENT_SECRET is missing although HUBSPOT_CLIENT_ID is set: "},
		"HubSpot's secret without its id":    {[]string{"HUBSPOT_CLIENT_SECRET=geheim"}, "HUBSPOT_CLIENT_ID is missing although HUBSPOT_CLIENT_SECRET is set: "},
		"HubSpot at no address":              {[]string{"HUBSPOT_AUTH_BASE_URL=geheim"}, "HUBSPOT_AUTH_BASE_URL is malformed: it must look like https://app.hubspot.com"},
		"HubSpot's API at no address":        {[]string{"HUBSPOT_API_BASE_URL=geheim"}, "HUBSPOT_API_BASE_URL is malformed: it must look like https://api.hubapi.com"},
		"WhatsApp's token without a number":  {[]string{"WHATSAPP_ACCESS_TOKEN=geheim"}, "WHATSAPP_PHONE_NUMBER_ID is missing although WHATSAPP_ACCESS_TOKEN is set: it must look like a number such as 106540352242922"},
		"WhatsApp's number without a token":  {[]string{"WHATSAPP_PHONE_NUMBER_ID=106540352242922"}, "WHATSAPP_ACCESS_TOKEN is missing although WHATSAPP_PHONE_NUMBER_ID is set: "},
		"WhatsApp's number instead of an id": {[]string{"WHATSAPP_PHONE_NUMBER_ID=+52 55 1234", "WHATSAPP_ACCESS_TOKEN=geheim"}, "WHATSAPP_PHONE_NUMBER_ID is malformed: "},
		"a version of the Graph API":         {[]string{"WHATSAPP_GRAPH_VERSION=23"}, "WHATSAPP_GRAPH_VERSION is malformed: it must look like v23.0"},
		"WhatsApp at no address":             {[]string{"WHATSAPP_BASE_URL=geheim"}, "WHATSAPP_BASE_URL is malformed: it must look like https://graph.facebook.com"},
		"Twilio's account without its token": {[]string{"TWILIO_ACCOUNT_SID=AC00112233445566778899aabbccddeeff"}, "TWILIO_AUTH_TOKEN is missing although TWILIO_ACCOUNT_SID is set: "},
		"Twilio's token without its account": {[]string{"TWILIO_AUTH_TOKEN=geheim"}, "TWILIO_ACCOUNT_SID is missing although TWILIO_AUTH_TOKEN is set: it must look like AC and 32 hexadecimal digits"},
		"Twilio's account of another form":   {[]string{"TWILIO_ACCOUNT_SID=geheim", "TWILIO_AUTH_TOKEN=geheim"}, "TWILIO_ACCOUNT_SID is malformed: "},
		"Twilio at no address":               {[]string{"TWILIO_BASE_URL=geheim"}, "TWILIO_BASE_URL is malformed: it must look like https://api.twilio.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := enlace(t, serverEnv(tt.env...), "serve")
			require.Equal(t, exitUsage, got.code)
			require.Empty(t, got.stdout)
			require.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
			require.Equal(t, "enlace: "+tt.line, got.stderr[:min(len("enlace: "+tt.line), len(got.stderr))])
			require.NotContains(t, got.stderr, "geheim", "what was set is not repeated: it may be a secret")
		})
	}
}

func TestEachCommandNeedsNoMoreThanItUses(t *testing.T) {
	t.Parallel()

	for command, needs := range map[string][]string{
		"serve":       {"DATABASE_URL", "ENCRYPTION_KEY", "PUBLIC_URL"},
		"api":         {"DATABASE_URL", "ENCRYPTION_KEY", "PUBLIC_URL"},
		"worker":      {"DATABASE_URL", "ENCRYPTION_KEY"},
		"migrate":     {"DATABASE_URL"},
		"keys list":   {"DATABASE_URL"},
		"keys rotate": {"DATABASE_URL", "ENCRYPTION_KEY"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()

			env := []string{"LISTEN_ADDR=127.0.0.1:0"}
			for _, name := range needs {
				got := enlace(t, env, strings.Fields(command)...)
				require.Equal(t, exitUsage, got.code)
				require.Contains(t, got.stderr, "enlace: "+name+" is missing: ")
				i := slices.IndexFunc(serverEnv(), func(v string) bool { return strings.HasPrefix(v, name+"=") })
				env = append(env, serverEnv()[i])
			}
			got := enlace(t, env, strings.Fields(command)...)
			require.Equal(t, exitFailed, got.code, "the database does not answer: %s", got.stderr)
			require.Contains(t, got.stderr, "enlace: reach database: ")
			require.Equal(t, 1, strings.Count(strings.TrimSpace(lastLine(got.stderr))+"\n", "\n"))
			require.NotContains(t, got.stderr, "geheim")
		})
	}
}

func TestIssuerOfTokens(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		project, keys webURL
		want          string
	}{
		"the project's own key set names it":         {"", "https://p.supabase.co/auth/v1/.well-known/jwks.json", "https://p.supabase.co/auth/v1"},
		"a key set elsewhere doesn't":                {"", "https://keys.example.com/jwks", ""},
		"the project's address wins":                 {"https://p.supabase.co", "https://q.supabase.co/auth/v1/.well-known/jwks.json", "https://p.supabase.co"},
		"the project's address with keys elsewhere":  {"https://p.supabase.co", "https://keys.example.com/jwks", "https://p.supabase.co"},
		"nothing is known where nothing was told us": {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			cfg := &config{SupabaseURL: tt.project, SupabaseJWKSURL: tt.keys}
			require.Equal(t, tt.want, cfg.jwt().Issuer)
			require.Equal(t, string(tt.keys), cfg.jwt().JWKSURL)
		})
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func TestEveryVariableIsInTheExample(t *testing.T) {
	t.Parallel()

	b, err := os.ReadFile("../../.env.example")
	require.NoError(t, err)
	var example []string
	for _, m := range regexp.MustCompile(`(?m)^#? ?([A-Z][A-Z0-9_]+)=`).FindAllStringSubmatch(string(b), -1) {
		example = append(example, m[1])
	}
	for _, name := range variables() {
		require.Contains(t, example, name, ".env.example lacks a variable of config.go")
	}
}

func TestEveryVariableSaysWhatItMustLookLike(t *testing.T) {
	t.Parallel()

	for _, of := range []reflect.Type{reflect.TypeFor[config](), reflect.TypeFor[clientConfig]()} {
		for field := range of.Fields() {
			require.NotEmpty(t, field.Tag.Get("envconfig"), field.Name)
			require.NotEmpty(t, field.Tag.Get("looks"), field.Name)
			require.NotEmpty(t, field.Tag.Get("from"), field.Name)
			if partner := field.Tag.Get("with"); partner != "" {
				require.Contains(t, variables(), partner)
			}
		}
	}
}

// variables are the names of those that a server reads.
func variables() []string {
	var names []string
	for field := range reflect.TypeFor[config]().Fields() {
		names = append(names, field.Tag.Get("envconfig"))
	}
	return names
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()

	cfg := config{AdminKey: longSecret{"geheim"}, PipedriveClientSecret: "geheim"}
	cfg.DatabaseURL.secret = "geheim"
	cfg.EncryptionKeysOld = []hexKey{{"geheim"}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, cfg), "geheim", verb)
		require.NotContains(t, fmt.Sprintf(verb, &cfg), "geheim", verb)
	}
	b, err := json.Marshal(cfg)
	require.NoError(t, err)
	require.NotContains(t, string(b), "geheim")
	require.Equal(t, "geheim", cfg.AdminKey.reveal())
}
