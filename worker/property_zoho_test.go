//go:build unix

package worker_test

import (
	"encoding/json"
	"net/http"
	"time"

	"example.com/enlace/providers"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/providers/zoho"
)

type zohoRemote struct {
	*sandbox.Zoho

	app providers.App
}

func newZohoRemote(box *sandbox.Sandbox, app providers.App, base string) (remote, error) {
	app.AuthBaseURL, app.APIBaseURL = base+"/sandbox/zoho/accounts", base+"/sandbox/zoho/api"
	r := &zohoRemote{Zoho: box.Zoho(), app: app}
	return r, r.Configure(func(s *sandbox.ZohoSettings) {
		s.RefreshesPerWindow, s.RefreshTokensPerUser, s.LiveAccessTokens = 0, 1000, 1000
	})
}

func (r *zohoRemote) providers(client *http.Client) []*providers.Provider {
	app := r.app
	app.TokenClient = client
	return []*providers.Provider{zoho.New(zoho.Config{App: app})}
}

func (r *zohoRemote) identity() providers.Identity {
	return providers.Identity{ExternalID: "60010001:1", Name: "Organisation"}
}

func (r *zohoRemote) grant() providers.Grant {
	t := r.IssueTokens(0)
	return providers.Grant{
		AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, ExpiresAt: time.Now().Add(time.Hour), APIDomain: t.APIDomain, AuthServer: r.AccountsServer(0),
	}
}

func (r *zohoRemote) raw() (map[string]json.RawMessage, error) {
	return pages(func(after string) ([]json.RawMessage, error) { return r.Contacts(0, after, 1000) })
}

func (r *zohoRemote) read(raw json.RawMessage) (person, error) {
	var p struct {
		LastName     string `json:"Last_Name"`
		ModifiedTime string `json:"Modified_Time"`
	}
	err := json.Unmarshal(raw, &p)
	return person{"", moment(p.ModifiedTime)}, err
}

func (r *zohoRemote) put(raw json.RawMessage) error { return r.Put(0, string(raw)) }

func (r *zohoRemote) rename(record map[string]any, name any) { record["Last_Name"] = name }
func (r *zohoRemote) undate(record map[string]any)           { record["Modified_Time"] = nil }

func (r *zohoRemote) mutate(m sandbox.Mutation) error {
	_, err := r.Mutate(0, m)
	return err
}

func (r *zohoRemote) update(id string) { r.Update(0, id) }
func (r *zohoRemote) delete(id string) { r.Delete(0, id) }
func (r *zohoRemote) purge(id string)  { r.Purge(0, id) }

func (r *zohoRemote) restore(id string, _ json.RawMessage) { r.Restore(0, id) }

func (r *zohoRemote) merge(winner, loser string) error { return r.Merge(0, winner, loser) }

func (r *zohoRemote) path(where string) string {
	return map[string]string{atLists: zohoContacts, atRecords: zohoContacts + "/", atTokens: zohoToken}[where]
}

func (r *zohoRemote) steer() steered { return r.Zoho }
func (r *zohoRemote) spend()         { r.SetBudget(3) }
func (r *zohoRemote) unbound()       { r.SetBudget(1_000_000) }
func (r *zohoRemote) expire()        { r.ExpireAccessTokens() }
func (r *zohoRemote) revoke()        { r.Revoke(0) }

func (r *zohoRemote) configure(change func(common)) error {
	return r.Configure(func(s *sandbox.ZohoSettings) {
		change(common{&s.WebhookSettings, &s.LatencyMS, &s.PageLimit, &s.HideDate})
	})
}
