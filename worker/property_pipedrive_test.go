//go:build unix

package worker_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/pipedrive"
	"example.com/enlace/providers/sandbox"
)

type pipedriveRemote struct {
	*sandbox.Pipedrive

	app     providers.App
	company int
}

func newPipedriveRemote(box *sandbox.Sandbox, app providers.App, base string) (remote, error) {
	app.AuthBaseURL, app.APIBaseURL = base+"/sandbox/pipedrive", base+"/sandbox/pipedrive"
	r := &pipedriveRemote{Pipedrive: box.Pipedrive(), app: app}
	r.company = r.Companies()[0].ID
	return r, r.Configure(func(s *sandbox.PipedriveSettings) { s.ListDeleted = true })
}

func (r *pipedriveRemote) providers(client *http.Client) []*providers.Provider {
	app := r.app
	app.TokenClient = client
	return []*providers.Provider{pipedrive.New(app)}
}

func (r *pipedriveRemote) identity() providers.Identity {
	return providers.Identity{ExternalID: strconv.Itoa(r.company) + ":1", Name: "Company"}
}

func (r *pipedriveRemote) grant() providers.Grant {
	t := r.IssueTokens(r.company)
	return providers.Grant{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, ExpiresAt: time.Now().Add(time.Hour), APIDomain: t.APIDomain}
}

func (r *pipedriveRemote) raw() (map[string]json.RawMessage, error) {
	return pages(func(after string) ([]json.RawMessage, error) {
		var last int64
		if after != "" {
			last = number(after)
		}
		return r.Contacts(r.company, last, 1000)
	})
}

func (r *pipedriveRemote) read(raw json.RawMessage) (person, error) {
	var p struct {
		Name       string `json:"name"`
		UpdateTime string `json:"update_time"`
	}
	err := json.Unmarshal(raw, &p)
	return person{strings.TrimSpace(providers.CleanText(p.Name)), moment(p.UpdateTime)}, err
}

func (r *pipedriveRemote) put(raw json.RawMessage) error { return r.Put(r.company, string(raw)) }

func (r *pipedriveRemote) rename(record map[string]any, name any) { record["name"] = name }
func (r *pipedriveRemote) undate(record map[string]any)           { record["update_time"] = nil }

func (r *pipedriveRemote) mutate(m sandbox.Mutation) error {
	_, err := r.Mutate(r.company, m)
	return err
}

func (r *pipedriveRemote) update(id string) { r.Update(r.company, number(id)) }
func (r *pipedriveRemote) delete(id string) { r.Delete(r.company, number(id)) }
func (r *pipedriveRemote) purge(id string)  { r.Purge(r.company, number(id)) }

// restore brings the record back as it was, with its old time.
func (r *pipedriveRemote) restore(_ string, before json.RawMessage) { _ = r.put(before) }

func (r *pipedriveRemote) merge(winner, loser string) error {
	return r.Merge(r.company, number(winner), number(loser))
}

func (r *pipedriveRemote) path(where string) string {
	return map[string]string{atLists: personsPath, atRecords: personsPath + "/", atTokens: "/oauth/token"}[where]
}

func (r *pipedriveRemote) steer() steered { return r.Pipedrive }
func (r *pipedriveRemote) spend()         { r.SetBudget(30) }
func (r *pipedriveRemote) unbound()       { r.SetBudget(1_000_000) }
func (r *pipedriveRemote) expire()        { r.ExpireAccessTokens() }
func (r *pipedriveRemote) revoke()        { r.Revoke(r.company) }

func (r *pipedriveRemote) configure(change func(common)) error {
	return r.Configure(func(s *sandbox.PipedriveSettings) {
		change(common{&s.WebhookSettings, &s.LatencyMS, &s.PageLimit, &s.HideDate})
	})
}
