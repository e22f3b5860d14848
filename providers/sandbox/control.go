package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// controls is what the control resource of a provider does. Errors are the
// caller's fault and come back to it as they are.
type controls interface {
	// status is the resource itself: what was counted, and the settings.
	status() any
	// patch changes the settings that body names.
	patch(body []byte) error
	// actions are the POSTs below the resource, by their name.
	actions() map[string]action
	// contacts is one JSON page of the records that live at the provider, in the
	// account that the provider calls a company or an org.
	contacts(account int, after int64, limit int) ([]byte, error)
}

// action answers a POST with a value that is encoded as JSON.
type action func(ctx context.Context, body []byte) (any, error)

// actionOf is an action whose body is a T.
func actionOf[T any](act func(T) (any, error)) action {
	return func(_ context.Context, body []byte) (any, error) {
		var asked T
		if err := decodeStrict(body, &asked); err != nil {
			return nil, err
		}
		return act(asked)
	}
}

// maxControlBody is the longest body that the control takes, in bytes.
const maxControlBody = 16 << 20

func mountControl(mux *http.ServeMux, name string, c controls) {
	root := "/sandbox/control/" + name
	show := func(w http.ResponseWriter) { writeJSON(w, http.StatusOK, c.status()) }
	mux.HandleFunc("GET "+root, func(w http.ResponseWriter, _ *http.Request) { show(w) })
	mux.HandleFunc("PATCH "+root, func(w http.ResponseWriter, r *http.Request) {
		body, err := readControl(w, r)
		if err == nil {
			err = c.patch(body)
		}
		if err != nil {
			writeProblem(w, http.StatusBadRequest, "invalid_request", err.Error())
			return
		}
		show(w)
	})
	for path, act := range c.actions() {
		mux.HandleFunc("POST "+root+"/"+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := readControl(w, r)
			var answer any
			if err == nil {
				answer, err = act(r.Context(), body)
			}
			if err != nil {
				writeProblem(w, http.StatusBadRequest, "invalid_request", err.Error())
				return
			}
			writeJSON(w, http.StatusOK, answer)
		})
	}
	mux.HandleFunc("GET "+root+"/contacts", func(w http.ResponseWriter, r *http.Request) { listContacts(w, r, c) })
}

func listContacts(w http.ResponseWriter, r *http.Request, c controls) {
	query := r.URL.Query()
	account, err := number(cmp.Or(query.Get("company"), query.Get("portal"), query.Get("org")), 0)
	var after, limit int64
	if err == nil {
		after, err = number(query.Get("after"), 0)
	}
	if err == nil {
		limit, err = number(query.Get("limit"), 1000)
	}
	var page []byte
	if err == nil && (limit < 1 || limit > 10_000) {
		err = errors.New("limit must be 1 to 10000")
	}
	if err == nil {
		page, err = c.contacts(int(account), after, int(limit))
	}
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(page) //nolint:gosec // JSON, as its type says
}

func number(text string, otherwise int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

func readControl(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	return body, nil
}

// decodeStrict reads one JSON object into v and refuses fields that v does not
// have. An empty body is an empty object.
func decodeStrict(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("the body is not what this takes: %w", err)
	}
	if decoder.More() {
		return errors.New("the body holds more than one JSON value")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// writeProblem answers as RFC 9457 says, with enlace's own members code and
// error.
func writeProblem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status,
		"code": code, "detail": detail, "error": detail,
	})
}

// scriptedAnswer is one answer of a script in JSON. The body is a string, or any
// other JSON value for itself.
type scriptedAnswer struct {
	Path    string            `json:"path"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

func (a scriptedAnswer) answer() Answer {
	answer := Answer{Status: a.Status, Header: http.Header{}, Body: string(a.Body)}
	var text string
	if json.Unmarshal(a.Body, &text) == nil {
		answer.Body = text
	}
	for name, value := range a.Headers {
		answer.Header.Set(name, value)
	}
	return answer
}

func checkAnswers(answers []scriptedAnswer) error {
	for i, a := range answers {
		if !strings.HasPrefix(a.Path, "/") || a.Status != 0 && (a.Status < 200 || a.Status > 599) {
			return fmt.Errorf("answers[%d]: needs a path that begins with a slash and a status from 200 to 599", i)
		}
	}
	return nil
}

// setAnswers replaces all scripted answers.
func (t *site) setAnswers(answers []scriptedAnswer) {
	t.clearScripts()
	for _, a := range answers {
		t.addScript(a.Path, []Answer{a.answer()})
	}
}
