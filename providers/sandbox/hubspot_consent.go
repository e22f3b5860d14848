package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// authorize is GET /oauth/authorize.
func (h *HubSpot) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	settings := h.current()
	if !h.mayAuthorize(w, query) {
		return
	}
	if !scopesAgree(settings.Scope, query.Get("scope"), query.Get("optional_scope")) {
		showError(w, "Authorization failed because there is a mismatch between the scopes in the install URL and the app's configured scopes.")
		return
	}
	if settings.AutoConsent {
		h.sendBack(w, r, query, settings.ConsentPortal)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	view := consentView{
		Provider: "HubSpot", Scope: settings.Scope, Action: "authorize", Account: "Account", Field: "portal",
		Hidden: hidden(query, "client_id", "redirect_uri", "state"), Chosen: settings.ConsentPortal,
	}
	for _, p := range h.Portals() {
		view.Choices = append(view.Choices, consentChoice{ID: p.ID, Name: p.Name, Note: fmt.Sprintf("%d contacts", p.Contacts)})
	}
	_ = consentPage.Execute(w, view)
}

// decide is the consent page's form.
func (h *HubSpot) decide(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		showError(w, "The form could not be read.")
		return
	}
	if !h.mayAuthorize(w, r.PostForm) {
		return
	}
	if r.PostForm.Get("decision") != "allow" {
		redirect(w, r, r.PostForm, url.Values{"error": {"access_denied"}, "error_description": {"the user denied access"}})
		return
	}
	portal := h.current().ConsentPortal
	if chosen := cmp.Or(r.PostForm.Get("portal"), r.PostForm.Get("company")); chosen != "" {
		portal, _ = strconv.Atoi(chosen)
	}
	h.sendBack(w, r, r.PostForm, portal)
}

// mayAuthorize checks what a consent was asked with, and shows what is wrong.
func (h *HubSpot) mayAuthorize(w http.ResponseWriter, asked url.Values) bool {
	id, _ := h.auth.client()
	back, err := url.Parse(asked.Get("redirect_uri"))
	switch {
	case asked.Get("client_id") != id:
		showError(w, "Authorization failed because the client ID was not found.")
	case err != nil || back.Host == "" || (back.Scheme != "http" && back.Scheme != "https"):
		showError(w, "Authorization failed because the redirect URL does not match a registered one.")
	default:
		return true
	}
	return false
}

// scopesAgree holds what a consent asks against the app's registration: all of it
// must be asked for, as required or optional, and nothing else.
func scopesAgree(registered, asked, optional string) bool {
	have, want := strings.Fields(registered), slices.Concat(strings.Fields(asked), strings.Fields(optional))
	within := func(of []string) func(string) bool {
		return func(scope string) bool { return !slices.Contains(of, scope) }
	}
	return !slices.ContainsFunc(have, within(want)) && !slices.ContainsFunc(want, within(have))
}

// sendBack ends a consent that was given.
func (h *HubSpot) sendBack(w http.ResponseWriter, r *http.Request, asked url.Values, portal int) {
	p := h.portal(portal)
	if p == nil || portal == 0 {
		showError(w, "There is no such account.")
		return
	}
	redirect(w, r, asked, url.Values{"code": {h.auth.newCode(p.company(), asked.Get("redirect_uri"))}})
}
