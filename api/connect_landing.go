package api

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/enlace/inspect"
	"example.com/enlace/providers/words"
)

// landing is how a connect ended.
type landing struct {
	result      string         // of WORDS §7
	provider    string         // empty: not known
	integration *uuid.UUID     // the one that is connected, or was to be; nil: none
	missing     []string       // the permissions that were left out
	found       *inspect.Found // what the account holds; nil: not known
	retryAt     time.Time      // when the provider may be asked again; zero: it didn't say
}

func (l landing) query() url.Values {
	query := url.Values{"enlace_result": {l.result}}
	if l.provider != "" {
		query.Set("provider", l.provider)
	}
	if l.integration != nil {
		query.Set("integration_id", l.integration.String())
	}
	if len(l.missing) > 0 {
		query.Set("missing", strings.Join(l.missing, " "))
	}
	if l.found != nil {
		query.Set("contacts", foundText(*l.found))
	}
	if !l.retryAt.IsZero() {
		query.Set("retry_at", l.retryAt.UTC().Format(time.RFC3339))
	}
	return query
}

// foundText is a number, with a plus where there are more.
func foundText(f inspect.Found) string {
	text := strconv.FormatInt(f.Contacts, 10)
	if f.More {
		text += "+"
	}
	return text
}

// land ends a connect on the dashboard, or, where there is none, on a page of a sentence.
func (s *Server) land(w http.ResponseWriter, r *http.Request, l landing) {
	if s.opts.DashboardURL != "" || s.opts.Dashboard != nil {
		s.toDashboard(w, r, l.query())
		return
	}
	args := words.Args{Now: s.opts.Now(), Provider: s.providerTitle(l.provider), Name: strings.Join(l.missing, ", "), At: l.retryAt}
	if l.integration != nil {
		if i, err := s.store.AnyIntegration(r.Context(), *l.integration); err == nil {
			args.Account, args.At, args.Since = value(i.ExternalAccountName), value(i.NextSyncAt), value(later(i.Watermark, i.WindowEnd))
		}
	}
	if l.found != nil {
		args.N, args.More = &l.found.Contacts, l.found.More
	}
	lang := callOf(r.Context()).lang
	text := words.Landing(lang, l.result, args)
	status := http.StatusOK
	if text.Code != "" {
		status = http.StatusBadRequest
		text.Title = words.Render(lang, text.Code, "", args).Title
	}
	s.page(w, r, status, pageText{Title: text.Title, Sentence: text.Sentence})
}

// failPage says to a person in a browser what [Server.fail] says to a program.
func (s *Server) failPage(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problem(r.Context(), err)
	maps.Copy(w.Header(), p.header)
	s.page(w, r, p.Status, pageText{Title: p.Title, Sentence: p.Detail})
}

// pageText is all that such a page says.
type pageText struct {
	Lang, Title, Sentence string
}

//nolint:gochecknoglobals // a constant page
var sentencePage = template.Must(template.New("sentence").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>enlace</title>
</head>
<body>
<main>
{{with .Title}}<h1>{{.}}</h1>
{{end}}<p>{{.Sentence}}</p>
</main>
</body>
</html>
`))

func (s *Server) page(w http.ResponseWriter, r *http.Request, status int, text pageText) {
	text.Lang = string(callOf(r.Context()).lang)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	if err := sentencePage.Execute(w, text); err != nil {
		s.log.Debug().Err(err).Msg("the caller left before its answer")
	}
}
