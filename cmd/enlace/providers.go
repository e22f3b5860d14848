package main

import (
	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
)

// providerList is every provider that this installation has credentials for. A new adapter is one entry here.
func providerList(cfg *config) []*providers.Provider {
	var list []*providers.Provider
	if cfg.PipedriveClientID != "" {
		list = append(list, pipedrive.New(pipedrive.Config{
			ClientID:     cfg.PipedriveClientID,
			ClientSecret: cfg.PipedriveClientSecret.reveal(),
			AuthBaseURL:  string(cfg.PipedriveAuthBaseURL),
			APIBaseURL:   string(cfg.PipedriveAPIBaseURL),
		}))
	}
	return list
}

// unused names the variables of providers that this version has no adapter for.
func unused(cfg *config) []string {
	var names []string
	for _, name := range []string{"ZOHO_CLIENT_ID", "HUBSPOT_CLIENT_ID", "WHATSAPP_ACCESS_TOKEN", "TWILIO_ACCOUNT_SID"} {
		if cfg.has(name) {
			names = append(names, name)
		}
	}
	return names
}
