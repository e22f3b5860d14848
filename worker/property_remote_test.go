//go:build unix

package worker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
)

// remote is the account at the provider: the truth that the store is compared with.
type remote interface {
	providers(client *http.Client) []*providers.Provider
	identity() providers.Identity
	grant() providers.Grant

	// raw are the living records as the provider has them, by their ids.
	raw() (map[string]json.RawMessage, error)
	// read is what can be told of a record without an adapter.
	read(raw json.RawMessage) (person, error)
	// put stores a record as it is written.
	put(raw json.RawMessage) error
	// edit changes a record's members as JSON; fields names them: the name, the update time.
	rename(record map[string]any, name any)
	undate(record map[string]any)

	mutate(m sandbox.Mutation) error
	update(id string)
	delete(id string)
	purge(id string)
	restore(id string, before json.RawMessage) // of a deleted record
	merge(winner, loser string) error

	path(where string) string // of a fault
	steer() steered
	spend() // leaves little of the day's budget
	unbound()
	expire()
	revoke()
	configure(change func(common)) error
}

// steered is what the fakes of all providers have in common.
type steered interface {
	Faults(faults ...sandbox.Fault) error
	Replay(times int, shuffle bool) (int, error)
	WebhookCounts() sandbox.WebhookCounts
}

// common are the settings that all providers have.
type common struct {
	hooks   *sandbox.WebhookSettings
	latency *int
	page    *int
	noDate  *bool
}

// newRemote makes the account of a sequence.
func newRemote(name string, box *sandbox.Sandbox, base, hooks string) (remote, error) {
	app := providers.App{ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret}
	switch name {
	case "pipedrive":
		return newPipedriveRemote(box, app, base)
	case "zoho":
		return newZohoRemote(box, app, base)
	}
	return newHubSpotRemote(box, app, base, hooks)
}

// altered is a record with some members changed.
func altered(raw json.RawMessage, change func(record map[string]any)) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var record map[string]any
	if err := dec.Decode(&record); err != nil {
		return nil, err
	}
	change(record)
	return json.Marshal(record)
}

// pages collects records from a fake, by the id that list finds in each.
func pages(list func(after string) ([]json.RawMessage, error)) (map[string]json.RawMessage, error) {
	all := make(map[string]json.RawMessage)
	for after := ""; ; {
		page, err := list(after)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, raw := range page {
			var r struct {
				ID json.Number `json:"id"`
			}
			if err := json.Unmarshal(raw, &r); err != nil {
				return nil, err
			}
			after = r.ID.String()
			all[after] = raw
		}
	}
}

// inOrder are ids in the order of their numbers.
func inOrder(records map[string]json.RawMessage) []string {
	return slices.SortedFunc(maps.Keys(records), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

// number is a provider's id as a number; the fakes' own ids always are.
func number(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%q is no id of a fake", id))
	}
	return n
}

// moment is a provider's time as Postgres gives it back.
func moment(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
