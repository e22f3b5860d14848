package sandbox

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

// consentPage is what the user sees on the way from enlace to a CRM.
var consentPage = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Connect to {{.Provider}} (sandbox)</title>
<style>
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px;
  font: 16px/1.5 system-ui, sans-serif; background: light-dark(#f4f5f7, #15171a); color: light-dark(#1d2125, #e8eaed); }
main { width: 100%; max-width: 440px; padding: 32px; border-radius: 12px;
  background: light-dark(#fff, #1f2226); border: 1px solid light-dark(#dfe1e6, #33373d); }
small { color: light-dark(#5b6470, #a3abb5); }
h1 { font-size: 20px; line-height: 1.3; margin: 4px 0 16px; }
fieldset { border: 0; padding: 0; margin: 0 0 24px; }
legend { padding: 0; margin-bottom: 8px; font-weight: 600; }
label { display: flex; gap: 12px; align-items: center; padding: 10px 12px; margin-bottom: 8px;
  border: 1px solid light-dark(#dfe1e6, #33373d); border-radius: 8px; cursor: pointer; }
.actions { display: flex; gap: 12px; justify-content: flex-end; }
button { font: inherit; padding: 10px 18px; border-radius: 8px; border: 1px solid light-dark(#8b939e, #6b737d);
  background: transparent; color: inherit; cursor: pointer; }
button.allow { background: #1a7f37; border-color: #1a7f37; color: #fff; }
button:focus-visible, label:focus-within { outline: 2px solid #4c8dff; outline-offset: 2px; }
</style>
</head>
<body>
<main>
<small>Sandbox: not the real {{.Provider}}</small>
<h1>enlace asks for access to your {{.Provider}} account</h1>
<p>It will be able to: {{.Scope}}</p>
<form method="post" action="{{.Action}}">
{{range $name, $value := .Hidden}}<input type="hidden" name="{{$name}}" value="{{$value}}">
{{end}}<fieldset>
<legend>{{.Account}}</legend>
{{range .Choices}}<label><input type="radio" name="{{$.Field}}" value="{{.ID}}"{{if eq .ID $.Chosen}} checked{{end}}> <span>{{.Name}}<br><small>{{.Note}}</small></span></label>
{{end}}</fieldset>
<div class="actions">
<button name="decision" value="deny">Deny</button>
<button class="allow" name="decision" value="allow">Allow and install</button>
</div>
</form>
</main>
</body>
</html>
`))

// consentView is what the page shows.
type consentView struct {
	Provider string // its name
	Scope    string
	Action   string            // where the form goes
	Hidden   map[string]string // what the form sends back as it came
	Account  string            // what the provider calls the account to choose
	Field    string            // and the form its field
	Choices  []consentChoice
	Chosen   int
}

type consentChoice struct {
	ID         int
	Name, Note string
}

// hidden keeps the parameters named of a consent, as far as they came.
func hidden(asked url.Values, names ...string) map[string]string {
	kept := map[string]string{}
	for _, name := range names {
		if asked.Has(name) {
			kept[name] = asked.Get(name)
		}
	}
	return kept
}

// errorPage answers a consent that cannot go on; the user is not sent back,
// since the address to go to is what is wrong.
var errorPage = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sandbox</title></head>
<body><h1>This request cannot be authorised</h1><p>{{.}}</p></body></html>
`))

// authorize is GET /oauth/authorize.
func (p *Pipedrive) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !p.mayAuthorize(w, query) {
		return
	}
	settings := p.current()
	if settings.AutoConsent {
		p.sendBack(w, r, query, settings.ConsentCompany)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	view := consentView{
		Provider: "Pipedrive", Scope: settings.Scope, Action: "authorize", Account: "Company", Field: "company",
		Hidden: hidden(query, "client_id", "redirect_uri", "state"), Chosen: settings.ConsentCompany,
	}
	for _, c := range p.Companies() {
		view.Choices = append(view.Choices, consentChoice{ID: c.ID, Name: c.Name, Note: fmt.Sprintf("%d contacts", c.Contacts)})
	}
	_ = consentPage.Execute(w, view)
}

// decide is the consent page's form.
func (p *Pipedrive) decide(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		showError(w, "The form could not be read.")
		return
	}
	if !p.mayAuthorize(w, r.PostForm) {
		return
	}
	if r.PostForm.Get("decision") != "allow" {
		redirect(w, r, r.PostForm, url.Values{"error": {"user_denied"}})
		return
	}
	company := p.current().ConsentCompany
	if chosen := r.PostForm.Get("company"); chosen != "" {
		company, _ = strconv.Atoi(chosen)
	}
	p.sendBack(w, r, r.PostForm, company)
}

// mayAuthorize checks what a consent was asked with, and shows what is wrong.
func (p *Pipedrive) mayAuthorize(w http.ResponseWriter, asked url.Values) bool {
	id, _ := p.auth.client()
	back, err := url.Parse(asked.Get("redirect_uri"))
	switch {
	case asked.Get("client_id") != id:
		showError(w, "Invalid client: client_id is not registered.")
	case err != nil || back.Host == "" || (back.Scheme != "http" && back.Scheme != "https"):
		showError(w, "Invalid request: redirect_uri must be a complete web address.")
	case asked.Has("response_type") && asked.Get("response_type") != "code":
		showError(w, "Invalid request: response_type must be code.")
	default:
		return true
	}
	return false
}

func showError(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	_ = errorPage.Execute(w, text)
}

// sendBack ends a consent that was given.
func (p *Pipedrive) sendBack(w http.ResponseWriter, r *http.Request, asked url.Values, company int) {
	c := p.company(company)
	if c == nil {
		showError(w, "There is no such company.")
		return
	}
	redirect(w, r, asked, url.Values{"code": {p.auth.newCode(c, asked.Get("redirect_uri"))}})
}

// redirect goes to the app's callback with result and the state, if one came.
func redirect(w http.ResponseWriter, r *http.Request, asked, result url.Values) {
	back, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil {
		showError(w, "Invalid request: redirect_uri must be a complete web address.")
		return
	}
	query := back.Query()
	for name := range result {
		query.Set(name, result.Get(name))
	}
	if asked.Has("state") {
		query.Set("state", asked.Get("state"))
	}
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // where to is the app's word in OAuth
}
