package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"example.com/enlace/providers/words"
)

// maxBody bounds the body of a request whose route says nothing else, in bytes.
const maxBody int64 = 1 << 20

// readBody bounds and reads a body before its handler sees it. What isn't JSON is refused at the place where it stops
// being so.
func (s *Server) readBody(rt route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := cmp.Or(rt.limit, maxBody)
		if r.ContentLength > limit {
			s.fail(w, r, tooLarge(limit))
			return
		}
		if r.Body != http.NoBody {
			bodyWithin(w, bodyLimit)
			defer bodyWithin(w, 0) // of those that the handler reads
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if rt.body == bodyRaw {
			next.ServeHTTP(w, r)
			return
		}
		if err := checkQuery(r); err != nil {
			s.fail(w, r, err)
			return
		}
		body, err := io.ReadAll(r.Body)
		bodyWithin(w, 0)
		if _, more := errors.AsType[*http.MaxBytesError](err); more {
			err = tooLarge(limit)
		} else if err != nil { // the caller broke off: what came can't be the whole
			err = notJSON(int64(len(body)))
		} else {
			err = checkJSON(r, rt.body, body)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		callOf(r.Context()).body = body
		next.ServeHTTP(w, r)
	})
}

// checkQuery refuses a query that Postgres couldn't hold: a NUL, or what isn't UTF-8.
func checkQuery(r *http.Request) error {
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, text := range append(query[name], name) {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				return badQuery(strings.ToValidUTF8(name, "?"), "UTF-8")
			}
		}
	}
	return nil
}

func tooLarge(limit int64) *fault {
	text := strconv.FormatInt(limit>>20, 10) + " MiB"
	return &fault{code: codeValidation, status: http.StatusRequestEntityTooLarge, fields: []badField{{field: "body", phrase: words.PhraseTooLong, limit: text}}}
}

// checkJSON refuses a body that isn't JSON, or isn't said to be.
func checkJSON(r *http.Request, rule bodyRule, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if rule == bodyLoose {
		r.Header.Set("Content-Type", "application/json")
	} else if !saysJSON(r.Header.Get("Content-Type")) {
		f := invalid("Content-Type", words.PhraseFormat, "application/json")
		f.status = http.StatusUnsupportedMediaType
		return f
	}
	var whole json.RawMessage
	err := json.Unmarshal(body, &whole)
	if err == nil {
		return nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return notJSON(syntax.Offset)
	}
	return notJSON(int64(len(body)))
}

func notJSON(position int64) *fault {
	return &fault{code: codeValidation, status: http.StatusBadRequest, phrase: words.PhraseNotJSON, count: &position, args: words.Args{Field: "body"}}
}

// saysJSON reports whether a content type is JSON's. One that is missing is taken for it.
func saysJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
