// Package zoho translates Zoho CRM v8: OAuth at nine data centres, contacts with the module's own custom fields, the list
// of deletions, and watch channels. Its facts, with their sources, are the project's page on the provider; "[doc]",
// "[seen]", "[rule]" and "[?]" below are that page's marks.
//
// A user belongs to a data centre, which has a token host and an API host of its own; a token of one is refused by every
// other [doc: Multi DC]. The consent begins at the US one, the callback names the user's own, and the grant its API.
//
// A sweep takes one of three ways, all of which give the same values for the same record:
//   - list: 200 records a call by page token; it ends at 100,000 records.
//   - keyset: COQL from the last id on, up to 2,000 records a call. Needs ZohoCRM.coql.READ.
//   - bulk: an export of 200,000 records a job, prepared by the provider, as CSV in a ZIP. Needs ZohoCRM.bulk.READ.
//
// The ways beyond the list need permissions that an account may lack: a sweep then begins with the next plainer way. A
// list that proves too long goes on as keyset.
//
// An incremental lists by Modified_Time. A formula or roll-up that changes doesn't move it, and a record without one is
// in sweeps alone.
//
// The adapter holds no token. A source remembers the module's fields and keeps the export that it is reading in a
// temporary file until it is closed.
package zoho

import (
	"cmp"
	"net/http"
	"path"
	"time"

	"example.com/enlace/providers"
)

// Mode is how a sweep reads an account.
type Mode string

// The ways of a sweep; [Auto] chooses among them.
const (
	Auto   Mode = "auto"
	List   Mode = "list"
	Keyset Mode = "keyset"
	Bulk   Mode = "bulk"
)

// Config is what cmd/enlace knows of our app. Below AuthBaseURL and APIBaseURL everything is trusted too; a last part such
// as "/eu" names the data centre.
type Config struct {
	providers.App

	ClientSecrets map[string]string // by data centre ("us", "eu", "in", …), where the app's Multi-DC setting gives each its own

	Full      Mode     // how a sweep reads; empty: [Auto]
	ListLimit int64    // records that a list by page token gives; 0: 100,000 [doc]
	Fields    []string // API names of standard fields to read beside the usual ones; a module that lacks one goes without
}

// New makes the provider's value. Nothing is asked of the provider yet.
func New(cfg Config) *providers.Provider {
	cfg.App = cfg.Defaults("", "")
	cfg.ListLimit = cmp.Or(cfg.ListLimit, 100_000)
	return &providers.Provider{
		Name:  "zoho",
		Title: "Zoho CRM",
		Kind:  providers.CRM,
		OAuth: cfg.oauth(),
		Contacts: func(account providers.Account, client *http.Client) providers.ContactSource {
			return cfg.source(account, client)
		},
		Changes: &providers.Changes{Subscribe: cfg.subscribe, Unsubscribe: cfg.unsubscribe, Read: readNotice},
		Limits: providers.Limits{
			// No RequestsPerSecond: what is limited is calls at once, five for a free account [doc: API Limits]. A run has one in
			// flight, and change notices another.
			BurstsBeforeQuota: 8,
			Budget:            providers.OuterAccount,                                             // credits are the organisation's [doc]
			QuotaReset:        func(now time.Time) time.Time { return now.Add(30 * time.Minute) }, // rolling: some come back all the time
			SweepEvery:        7 * 24 * time.Hour,
			DeletedKept:       60 * 24 * time.Hour, // what is in the recycle bin [doc]
			Cursors:           providers.Opaque,
		},
	}
}

// centre is one of the provider's data centres.
type centre struct{ key, accounts, api string }

// centres are all of them [doc: Multi DC]. The hosts follow no pattern: never derive one.
func centres() []centre {
	return []centre{
		{"us", "https://accounts.zoho.com", "https://www.zohoapis.com"},
		{"eu", "https://accounts.zoho.eu", "https://www.zohoapis.eu"},
		{"in", "https://accounts.zoho.in", "https://www.zohoapis.in"},
		{"au", "https://accounts.zoho.com.au", "https://www.zohoapis.com.au"},
		{"jp", "https://accounts.zoho.jp", "https://www.zohoapis.jp"},
		{"cn", "https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn"},
		{"sa", "https://accounts.zoho.sa", "https://www.zohoapis.sa"},
		{"uk", "https://accounts.zoho.uk", "https://www.zohoapis.uk"}, // [?]
		{"ca", "https://accounts.zohocloud.ca", "https://www.zohoapis.ca"},
	}
}

// DataCentres are the keys of the provider's data centres.
func DataCentres() (keys []string) {
	for _, c := range centres() {
		keys = append(keys, c.key)
	}
	return keys
}

// find is the data centre that one of the addresses is of, by its exact host, or by the last part of a plain path below
// base; base itself is of the first one. Ok is false for an address to which neither a secret nor a token may be sent.
func find(address, base string, host func(centre) string) (c centre, ok bool) {
	inside := providers.Below(base, address)
	for _, c := range centres() {
		if address == host(c) || inside && path.Base(address) == c.key {
			return c, true
		}
	}
	return centres()[0], inside
}

// trustsDomain says whether an account's token may be sent to an API domain.
func (cfg Config) trustsDomain(domain string) bool {
	_, ok := find(domain, cfg.APIBaseURL, func(c centre) string { return c.api })
	return ok
}

// source makes the source of an account. Where a grant named no API domain, it is that of the token host's data centre.
func (cfg Config) source(account providers.Account, client *http.Client) *contacts {
	c, _ := find(account.AuthServer, cfg.AuthBaseURL, func(c centre) string { return c.accounts })
	api := &providers.API{
		Provider: "zoho", BaseURL: cmp.Or(cfg.APIBaseURL, c.api), Timeout: cfg.Timeout, Trusts: cfg.trustsDomain, Told: told, Refine: refine,
		Usage: providers.UsageHeaders{DailyRemaining: headerCredits},
	}
	return &contacts{Caller: api.For(account, client), cfg: cfg}
}
