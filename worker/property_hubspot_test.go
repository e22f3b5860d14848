//go:build unix

package worker_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/hubspot"
	"example.com/enlace/providers/sandbox"
)

type hubspotRemote struct {
	*sandbox.HubSpot

	app    providers.App
	portal int
}

func newHubSpotRemote(box *sandbox.Sandbox, app providers.App, base, hooks string) (remote, error) {
	app.AuthBaseURL, app.APIBaseURL = base+"/sandbox/hubspot", base+"/sandbox/hubspot"
	r := &hubspotRemote{HubSpot: box.HubSpot(), app: app}
	r.portal = r.Portals()[0].ID
	return r, r.Configure(func(s *sandbox.HubSpotSettings) { s.Burst, s.SearchBurst, s.WebhookTarget = 0, 0, hooks })
}

func (r *hubspotRemote) providers(client *http.Client) []*providers.Provider {
	app := r.app
	app.TokenClient = client
	p := hubspot.New(app)
	p.Limits.RequestsPerSecond = 0 // the fake has no such limit here
	return []*providers.Provider{p}
}

func (r *hubspotRemote) identity() providers.Identity {
	return providers.Identity{ExternalID: strconv.Itoa(r.portal), Name: "Portal"}
}

func (r *hubspotRemote) grant() providers.Grant {
	t := r.IssueTokens(r.portal)
	return providers.Grant{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, ExpiresAt: time.Now().Add(time.Hour)}
}

func (r *hubspotRemote) raw() (map[string]json.RawMessage, error) {
	return pages(func(after string) ([]json.RawMessage, error) {
		var last int64
		if after != "" {
			last = number(after)
		}
		return r.Contacts(r.portal, last, 1000)
	})
}

func (r *hubspotRemote) read(raw json.RawMessage) (person, error) {
	var c struct {
		Properties map[string]string `json:"properties"`
	}
	err := json.Unmarshal(raw, &c)
	name := providers.CleanText(c.Properties["firstname"] + " " + c.Properties["lastname"])
	return person{strings.TrimSpace(name), moment(c.Properties["lastmodifieddate"])}, err
}

func (r *hubspotRemote) put(raw json.RawMessage) error { return r.Put(r.portal, string(raw)) }

func (r *hubspotRemote) rename(record map[string]any, name any) {
	record["properties"].(map[string]any)["firstname"] = name
}

func (r *hubspotRemote) undate(record map[string]any) {
	record["properties"].(map[string]any)["lastmodifieddate"] = nil
}

func (r *hubspotRemote) mutate(m sandbox.Mutation) error {
	_, err := r.Mutate(r.portal, m)
	return err
}

func (r *hubspotRemote) update(id string) { r.Update(r.portal, number(id)) }
func (r *hubspotRemote) delete(id string) { r.Delete(r.portal, number(id)) }
func (r *hubspotRemote) purge(id string)  { r.Purge(r.portal, number(id)) }

func (r *hubspotRemote) restore(id string, _ json.RawMessage) {
	_, _ = r.Restore(r.portal, number(id))
}

func (r *hubspotRemote) merge(winner, loser string) error {
	_, err := r.Merge(r.portal, number(winner), number(loser))
	return err
}

func (r *hubspotRemote) path(where string) string {
	return map[string]string{atLists: hubspotContacts, atRecords: hubspotContacts + "/", atTokens: "/oauth/v3/token"}[where]
}

const hubspotContacts = "/crm/v3/objects/contacts"

func (r *hubspotRemote) steer() steered { return r.HubSpot }
func (r *hubspotRemote) spend()         { r.SetBudget(3) }
func (r *hubspotRemote) unbound()       { r.SetBudget(sandbox.Unlimited) }
func (r *hubspotRemote) expire()        { r.ExpireAccessTokens() }
func (r *hubspotRemote) revoke()        { r.Revoke(r.portal) }

func (r *hubspotRemote) configure(change func(common)) error {
	return r.Configure(func(s *sandbox.HubSpotSettings) {
		change(common{&s.WebhookSettings, &s.LatencyMS, &s.PageLimit, &s.HideDate})
	})
}
