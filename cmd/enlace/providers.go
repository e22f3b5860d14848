package main

import (
	"maps"
	"reflect"
	"slices"

	"example.com/enlace/providers"
	"example.com/enlace/providers/hubspot"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
)

// adapter is a provider that this version knows.
type adapter struct {
	name   string
	title  string
	prefix string // of its variables
	make   func(cfg *config) *providers.Provider

	// sandbox says where its stand-in is reached: a path for each variable, without the prefix.
	sandbox map[string]string
}

// adapters is every provider that this version knows. A new one is one entry here.
func adapters() []adapter {
	return []adapter{
		{
			name: "pipedrive", title: "Pipedrive", prefix: "PIPEDRIVE",
			make: func(cfg *config) *providers.Provider {
				return pipedrive.New(pipedrive.Config{
					ClientID: cfg.PipedriveClientID, ClientSecret: cfg.PipedriveClientSecret.reveal(),
					AuthBaseURL: string(cfg.PipedriveAuthBaseURL), APIBaseURL: string(cfg.PipedriveAPIBaseURL),
				})
			},
			sandbox: map[string]string{"AUTH_BASE_URL": "/sandbox/pipedrive", "API_BASE_URL": "/sandbox/pipedrive"},
		},
		{
			name: "zoho", title: "Zoho CRM", prefix: "ZOHO",
			make: func(cfg *config) *providers.Provider {
				return zoho.New(zoho.Config{
					App: providers.App{
						ClientID: cfg.ZohoClientID, ClientSecret: cfg.ZohoClientSecret.reveal(),
						AuthBaseURL: string(cfg.ZohoAccountsBaseURL), APIBaseURL: string(cfg.ZohoAPIBaseURL),
					},
					ClientSecrets: cfg.ZohoClientSecrets.reveal(), Full: zoho.Mode(cfg.ZohoFullSync), Fields: cfg.ZohoFields,
				})
			},
			sandbox: map[string]string{"ACCOUNTS_BASE_URL": "/sandbox/zoho/accounts", "API_BASE_URL": "/sandbox/zoho/api"},
		},
		{
			name: "hubspot", title: "HubSpot", prefix: "HUBSPOT",
			make: func(cfg *config) *providers.Provider {
				return hubspot.New(hubspot.Config{
					ClientID: cfg.HubSpotClientID, ClientSecret: cfg.HubSpotClientSecret.reveal(),
					AuthBaseURL: string(cfg.HubSpotAuthBaseURL), APIBaseURL: string(cfg.HubSpotAPIBaseURL),
				})
			},
			sandbox: map[string]string{"AUTH_BASE_URL": "/sandbox/hubspot", "API_BASE_URL": "/sandbox/hubspot"},
		},
	}
}

// configured reports whether an installation has credentials for it.
func (a adapter) configured(cfg *config) bool { return cfg.has(a.prefix + "_CLIENT_ID") }

// providerList is every provider that this installation has credentials for.
func providerList(cfg *config) []*providers.Provider {
	var list []*providers.Provider
	for _, a := range adapters() {
		if a.configured(cfg) {
			list = append(list, a.make(cfg))
		}
	}
	return list
}

// adapterNames are those of all providers that this version knows.
func adapterNames() []string {
	var names []string
	for _, a := range adapters() {
		names = append(names, a.name)
	}
	return names
}

// variable is one of the environment, with its value.
type variable struct{ name, value string }

// sandboxVariables are those that point an adapter to a sandbox at base.
func (a adapter) sandboxVariables(base string) []variable {
	list := []variable{{a.prefix + "_CLIENT_ID", sandbox.DefaultClientID}, {a.prefix + "_CLIENT_SECRET", sandbox.DefaultClientSecret}}
	for _, name := range slices.Sorted(maps.Keys(a.sandbox)) {
		list = append(list, variable{a.prefix + "_" + name, base + a.sandbox[name]})
	}
	return list
}

// useSandbox points the providers that have no credentials to the sandbox, and returns the titles of the others.
func useSandbox(cfg *config, base string) (real []string) {
	for _, a := range adapters() {
		if a.configured(cfg) {
			real = append(real, a.title)
			continue
		}
		for _, v := range a.sandboxVariables(base) {
			cfg.set(v)
		}
	}
	return real
}

// set gives a variable of text its value.
func (c *config) set(v variable) {
	s := reflect.ValueOf(c).Elem()
	for field := range s.Type().Fields() {
		if field.Tag.Get("envconfig") == v.name {
			s.FieldByIndex(field.Index).SetString(v.value)
			return
		}
	}
	panic("enlace has no variable " + v.name)
}

// unused names the variables of providers that this version has no adapter for.
func unused(cfg *config) []string {
	var names []string
	for _, name := range []string{"WHATSAPP_ACCESS_TOKEN", "TWILIO_ACCOUNT_SID"} {
		if cfg.has(name) {
			names = append(names, name)
		}
	}
	return names
}
