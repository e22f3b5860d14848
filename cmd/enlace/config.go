package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"example.com/enlace/api"
)

// config is what the environment says: the only place where it is read. The tags say what a variable must look like, and
// where to get it; a test compares the names with .env.example. An empty variable is a missing one, as env files have it.
type config struct {
	DatabaseURL       databaseURL `envconfig:"DATABASE_URL" looks:"postgres://user:password@host:5432/database" from:"get it from your Postgres server, or Supabase: Connect, Session pooler"`
	DatabaseDirectURL databaseURL `envconfig:"DATABASE_DIRECT_URL" looks:"postgres://user:password@host:5432/database" from:"get it from your Postgres server, or Supabase: Connect, Direct connection"`
	DatabasePollOnly  bool        `envconfig:"DATABASE_POLL_ONLY" looks:"true or false" from:"it is true where DATABASE_URL is a transaction pooler such as PgBouncer, or YugabyteDB"`

	EncryptionKey     hexKey      `envconfig:"ENCRYPTION_KEY" looks:"64 hexadecimal digits" from:"make one with: openssl rand -hex 32"`
	EncryptionKeysOld []hexKey    `envconfig:"ENCRYPTION_KEYS_OLD" looks:"keys of 64 hexadecimal digits each, separated by commas" from:"each is an ENCRYPTION_KEY of before"`
	TokenFormat       tokenFormat `envconfig:"TOKEN_FORMAT" looks:"v1, the only format that this version writes" from:"it may be left out"`

	ListenAddr     listenAddr `envconfig:"LISTEN_ADDR" default:"127.0.0.1:8080" looks:"127.0.0.1:8080, or :8080 for every address" from:"choose any free port"`
	PublicURL      webURL     `envconfig:"PUBLIC_URL" looks:"https://enlace.example.com" from:"it is where browsers and providers reach this server"`
	DashboardURL   webURL     `envconfig:"DASHBOARD_URL" looks:"https://app.example.com/integrations" from:"it is where browsers return after a consent"`
	AllowedOrigins []webURL   `envconfig:"ALLOWED_ORIGINS" looks:"https://app.example.com,https://admin.example.com" from:"they are your pages that call the API besides the one of DASHBOARD_URL"`
	LogLevel       logLevel   `envconfig:"LOG_LEVEL" default:"info" looks:"debug, info, warn or error" from:"choose how much you want to read"`
	Workers        count      `envconfig:"WORKERS" default:"8" looks:"a number from 1 to 1000" from:"it is how many syncs this process works on at a time"`
	PhoneRegion    region     `envconfig:"DEFAULT_PHONE_REGION" looks:"two capital letters such as MX" from:"it is the country of phone numbers that have no country code"`

	AdminKey          longSecret `envconfig:"ENLACE_ADMIN_KEY" looks:"at least 32 characters" from:"make one with: openssl rand -hex 32"`
	SupabaseJWTSecret longSecret `envconfig:"SUPABASE_JWT_SECRET" looks:"at least 32 characters" from:"get it from Supabase: Project settings, JWT keys, Legacy JWT secret"`
	SupabaseJWKSURL   webURL     `envconfig:"SUPABASE_JWKS_URL" looks:"https://<project>.supabase.co/auth/v1/.well-known/jwks.json" from:"get it from Supabase: Project settings, JWT keys"`
	SupabaseURL       webURL     `envconfig:"SUPABASE_URL" looks:"https://<project>.supabase.co" from:"get it from Supabase: Project settings, Data API; other projects' tokens are then refused"`
	ConnectAllowBare  bool       `envconfig:"CONNECT_ALLOW_BARE" looks:"true or false" from:"it is true only while an earlier dashboard still links to initiate-oauth without a session"`

	PipedriveClientID     string `envconfig:"PIPEDRIVE_CLIENT_ID" with:"PIPEDRIVE_CLIENT_SECRET" looks:"the app's client id" from:"get it from Pipedrive: Developer Hub, your app, OAuth & access scopes"`
	PipedriveClientSecret secret `envconfig:"PIPEDRIVE_CLIENT_SECRET" with:"PIPEDRIVE_CLIENT_ID" looks:"the app's client secret" from:"get it from Pipedrive: Developer Hub, your app, OAuth & access scopes"`
	PipedriveAuthBaseURL  webURL `envconfig:"PIPEDRIVE_AUTH_BASE_URL" looks:"https://oauth.pipedrive.com" from:"it is your proxy or sandbox; leave it out for Pipedrive itself"`
	PipedriveAPIBaseURL   webURL `envconfig:"PIPEDRIVE_API_BASE_URL" looks:"https://api.pipedrive.com" from:"it is your proxy or sandbox; leave it out for Pipedrive itself"`

	ZohoClientID        string   `envconfig:"ZOHO_CLIENT_ID" with:"ZOHO_CLIENT_SECRET" looks:"the client's id" from:"get it from Zoho: api-console.zoho.com, your client, Client Secret"`
	ZohoClientSecret    secret   `envconfig:"ZOHO_CLIENT_SECRET" with:"ZOHO_CLIENT_ID" looks:"the client's secret" from:"get it from Zoho: api-console.zoho.com, your client, Client Secret"`
	ZohoClientSecrets   secrets  `envconfig:"ZOHO_CLIENT_SECRETS" looks:"eu:secret,in:secret, for data centres us, eu, in, au, jp, cn, sa, uk and ca" from:"get them from Zoho: api-console.zoho.com, your client, Settings, where each data centre has its own"`
	ZohoFullSync        zohoMode `envconfig:"ZOHO_FULL_SYNC" looks:"auto, list, keyset or bulk" from:"it may be left out: the cheapest way is then taken"`
	ZohoFields          []string `envconfig:"ZOHO_FIELDS" looks:"API names such as Lead_Source,Description" from:"get them from Zoho: Setup, Modules and Fields, Contacts; custom fields come by themselves"`
	ZohoAccountsBaseURL webURL   `envconfig:"ZOHO_ACCOUNTS_BASE_URL" looks:"https://accounts.zoho.com" from:"it is your proxy or sandbox; leave it out for Zoho itself"`
	ZohoAPIBaseURL      webURL   `envconfig:"ZOHO_API_BASE_URL" looks:"https://www.zohoapis.com" from:"it is your proxy or sandbox; leave it out for Zoho itself"`

	HubSpotClientID     string `envconfig:"HUBSPOT_CLIENT_ID" with:"HUBSPOT_CLIENT_SECRET" looks:"the app's client id" from:"get it from HubSpot: your developer account, your app, Auth"`
	HubSpotClientSecret secret `envconfig:"HUBSPOT_CLIENT_SECRET" with:"HUBSPOT_CLIENT_ID" looks:"the app's client secret" from:"get it from HubSpot: your developer account, your app, Auth"`
	HubSpotAuthBaseURL  webURL `envconfig:"HUBSPOT_AUTH_BASE_URL" looks:"https://app.hubspot.com" from:"it is your proxy or sandbox; leave it out for HubSpot itself"`
	HubSpotAPIBaseURL   webURL `envconfig:"HUBSPOT_API_BASE_URL" looks:"https://api.hubapi.com" from:"it is your proxy or sandbox; leave it out for HubSpot itself"`

	WhatsAppAccessToken   secret       `envconfig:"WHATSAPP_ACCESS_TOKEN" with:"WHATSAPP_PHONE_NUMBER_ID" looks:"a system user's token" from:"get it from Meta: Business settings, System users, Generate token"`
	WhatsAppPhoneNumberID digits       `envconfig:"WHATSAPP_PHONE_NUMBER_ID" with:"WHATSAPP_ACCESS_TOKEN" looks:"a number such as 106540352242922" from:"get it from Meta: your app, WhatsApp, API setup"`
	WhatsAppAppSecret     secret       `envconfig:"WHATSAPP_APP_SECRET" looks:"the app's secret" from:"get it from Meta: your app, App settings, Basic"`
	WhatsAppVerifyToken   secret       `envconfig:"WHATSAPP_VERIFY_TOKEN" looks:"any text that nobody guesses" from:"choose it; the same is entered at Meta, WhatsApp, Configuration"`
	WhatsAppGraphVersion  graphVersion `envconfig:"WHATSAPP_GRAPH_VERSION" looks:"v23.0" from:"get it from Meta: Graph API changelog"`
	WhatsAppBaseURL       webURL       `envconfig:"WHATSAPP_BASE_URL" looks:"https://graph.facebook.com" from:"it is your proxy or sandbox; leave it out for Meta itself"`

	TwilioAccountSID accountSID `envconfig:"TWILIO_ACCOUNT_SID" with:"TWILIO_AUTH_TOKEN" looks:"AC and 32 hexadecimal digits" from:"get it from Twilio: console, Account info"`
	TwilioAuthToken  secret     `envconfig:"TWILIO_AUTH_TOKEN" with:"TWILIO_ACCOUNT_SID" looks:"the account's auth token" from:"get it from Twilio: console, Account info"`
	TwilioBaseURL    webURL     `envconfig:"TWILIO_BASE_URL" looks:"https://api.twilio.com" from:"it is your proxy or sandbox; leave it out for Twilio itself"`
}

// clientConfig is what the commands read that speak to a running enlace.
type clientConfig struct {
	URL    webURL `envconfig:"ENLACE_URL" default:"http://127.0.0.1:8080" looks:"https://enlace.example.com" from:"ask whoever runs enlace for its PUBLIC_URL"`
	APIKey secret `envconfig:"ENLACE_API_KEY" looks:"an API key, or the admin key" from:"make one with: enlace keys new"`
}

// loadConfig reads the environment. The error is a [*usageError] of one line that names the variable.
func loadConfig() (*config, error) {
	c := new(config)
	if err := readEnvironment(c); err != nil {
		return nil, err
	}
	return c, halfPair(c)
}

// readEnvironment fills a struct of variables.
func readEnvironment(into any) error {
	for field := range reflect.TypeOf(into).Elem().Fields() {
		if name := field.Tag.Get("envconfig"); os.Getenv(name) == "" {
			if err := os.Unsetenv(name); err != nil {
				return fmt.Errorf("read the environment: %w", err)
			}
		}
	}
	err := envconfig.Process("", into)
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		field, _ := reflect.TypeOf(into).Elem().FieldByName(parse.FieldName)
		return badVariable(field.Tag, "is malformed")
	}
	if err != nil {
		return fmt.Errorf("read the environment: %w", err)
	}
	return nil
}

// halfPair refuses credentials of which one half is missing.
func halfPair(c *config) error {
	for field := range reflect.TypeFor[config]().Fields() {
		partner := field.Tag.Get("with")
		if partner != "" && !c.has(field.Tag.Get("envconfig")) && c.has(partner) {
			return badVariable(field.Tag, "is missing although "+partner+" is set")
		}
	}
	return nil
}

// has reports whether a variable is set.
func (c *config) has(name string) bool {
	v := reflect.ValueOf(c).Elem()
	for field := range v.Type().Fields() {
		if field.Tag.Get("envconfig") == name {
			return !v.FieldByIndex(field.Index).IsZero()
		}
	}
	panic("enlace has no variable " + name)
}

// require refuses a configuration without these variables.
func (c *config) require(names ...string) error {
	for _, name := range names {
		if c.has(name) {
			continue
		}
		for field := range reflect.TypeFor[config]().Fields() {
			if field.Tag.Get("envconfig") == name {
				return badVariable(field.Tag, "is missing")
			}
		}
	}
	return nil
}

func badVariable(tag reflect.StructTag, what string) error {
	return usagef("%s %s: it must look like %s; %s", tag.Get("envconfig"), what, tag.Get("looks"), tag.Get("from"))
}

// jwt says whose users' tokens are accepted.
func (c *config) jwt() api.JWTConfig {
	issuer := string(c.SupabaseURL)
	if issuer == "" { // a key set elsewhere, behind a proxy perhaps, doesn't tell who issues the tokens
		if base, found := strings.CutSuffix(string(c.SupabaseJWKSURL), "/.well-known/jwks.json"); found {
			issuer = base
		}
	}
	return api.JWTConfig{Secret: c.SupabaseJWTSecret.reveal(), JWKSURL: string(c.SupabaseJWKSURL), Issuer: issuer}
}

// origins are further pages that may call the API.
func (c *config) origins() []string {
	origins := make([]string, 0, len(c.AllowedOrigins))
	for _, o := range c.AllowedOrigins {
		origins = append(origins, string(o))
	}
	return origins
}

// oldKeys are the keys that only open.
func (c *config) oldKeys() []string {
	keys := make([]string, 0, len(c.EncryptionKeysOld))
	for _, k := range c.EncryptionKeysOld {
		keys = append(keys, k.reveal())
	}
	return keys
}
