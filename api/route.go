package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"example.com/enlace/providers/words"
)

// access says who may call a route. The zero value is nobody's choice, and no route may have it.
type access int

const (
	_              access = iota
	accessOpen            // anybody
	accessTenant          // a tenant's key, user or browser session; or an admin
	accessAdmin           // an admin
	accessSigned          // whoever proves itself in a way that only the handler knows: a signature, a state, a one-time token
	accessLoopback        // whoever sits at this machine, in dev
)

var accessNames = [...]string{"", "open", "tenant", "admin", "signed", "loopback"}

func (a access) String() string { return accessNames[a] }

// bodyRule says what a route takes as a body. Whatever it is, it is bounded.
type bodyRule int

const (
	bodyRaw   bodyRule = iota // the handler reads it itself
	bodyJSON                  // JSON, and said to be
	bodyLoose                 // JSON, whatever it is said to be: supabase-js sends a string as text/plain
)

// route is one thing that the server answers.
type route struct {
	method  string // empty: all
	path    string // a pattern of [http.ServeMux]
	access  access
	body    bodyRule
	limit   int64 // of the body, in bytes; 0: [maxBody]
	lasting bool  // may take as long as it likes
	handler http.Handler
}

func (r route) pattern() string {
	if r.method == "" {
		return r.path
	}
	return r.method + " " + r.path
}

// mount is the only way to a route. It puts the limits, the guard and the reading of the body before the handler.
func (s *Server) mount(r route) error {
	if r.access <= 0 || int(r.access) >= len(accessNames) {
		return fmt.Errorf("api: %s has no access rule", r.pattern())
	}
	if r.handler == nil {
		return fmt.Errorf("api: %s has no handler", r.pattern())
	}
	s.routes = append(s.routes, r)
	s.mux.Handle(r.pattern(), s.bounded(r, s.guard(r, s.readBody(r, r.handler))))
	return nil
}

// mountRoutes is mount for several.
func (s *Server) mountRoutes(routes ...route) error {
	for _, r := range routes {
		if err := s.mount(r); err != nil {
			return err
		}
	}
	return nil
}

// dispatch hands a request to its route. The mux's own answers, texts and redirects to cleaner paths, become problems: a
// client that follows a redirect silently turns a POST into a GET.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	handler, pattern := s.mux.Handler(r)
	if pattern != "" && (r.URL.Path == cleanPath(r.URL.Path) || !strings.HasPrefix(r.URL.Path, "/")) {
		callOf(r.Context()).pattern = pattern
		s.mux.ServeHTTP(w, r)
		return
	}
	refusal := &muxAnswer{header: make(http.Header)}
	if pattern == "" {
		handler.ServeHTTP(refusal, r)
	}
	if refusal.status == http.StatusMethodNotAllowed {
		allow := refusal.header.Get("Allow")
		w.Header().Set("Allow", allow)
		f := invalid("method", words.PhraseOneOf, allow)
		f.status = http.StatusMethodNotAllowed
		s.fail(w, r, f)
		return
	}
	s.fail(w, r, &fault{code: codeNotFound})
}

// cleanPath is the path that the mux would redirect to.
func cleanPath(p string) string {
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// muxAnswer catches what the mux says of a request that has no route.
type muxAnswer struct {
	header http.Header
	status int
}

func (m *muxAnswer) Header() http.Header         { return m.header }
func (m *muxAnswer) Write(b []byte) (int, error) { return len(b), nil }
func (m *muxAnswer) WriteHeader(status int)      { m.status = status }

// operation describes a documented operation of the API. In and Out of its handler are Huma's: the OpenAPI document and
// the checks of a request come from the same types.
type operation struct {
	method, path string
	access       access
	body         bodyRule // [bodyJSON] unless it says more
	id           string   // operationId
	summary      string
	description  string
	tag          string
	status       int            // of success; 0: 200
	success      *huma.Response // nil: as the output's type has it
	also         map[int]*huma.Response
	hidden       bool
	lasting      bool
}

const accessKey = "access"

// handle mounts an operation.
func handle[In, Out any](s *Server, o operation, fn func(context.Context, *In) (*Out, error)) (err error) {
	defer func() { // Huma panics where a type can't be documented, and mount refuses by its error
		if p := recover(); p != nil {
			err = fmt.Errorf("api: %s %s: %v", o.method, o.path, p)
		}
	}()
	if o.status == 0 {
		o.status = http.StatusOK
	}
	if o.body == bodyRaw {
		o.body = bodyJSON
	}
	op := huma.Operation{
		Method: o.method, Path: o.path, OperationID: o.id, Summary: o.summary, Description: o.description, Tags: []string{o.tag},
		DefaultStatus: o.status, Hidden: o.hidden, MaxBodyBytes: -1, // readBody has bounded it
		Metadata:  map[string]any{accessKey: route{access: o.access, body: o.body, lasting: o.lasting}},
		Responses: map[string]*huma.Response{"default": s.refusal(o.body)},
		Security:  []map[string][]string{},
	}
	if o.success != nil {
		op.Responses[strconv.Itoa(o.status)] = o.success
	}
	for status, response := range o.also {
		op.Responses[strconv.Itoa(status)] = response
	}
	if o.access == accessTenant || o.access == accessAdmin {
		op.Security = []map[string][]string{{"key": {}}, {"session": {}}}
	}
	huma.Register(s.huma, op, func(ctx context.Context, in *In) (*Out, error) {
		callOf(ctx).status = o.status
		out, err := fn(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
	return nil
}

// refusal documents what every operation may answer instead.
func (s *Server) refusal(body bodyRule) *huma.Response {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[problem](), true, "Problem")
	contentType := (&problem{function: body == bodyLoose}).ContentType("")
	return &huma.Response{
		Description: "A refusal. Its code and title say why: 400 and 422 the request, 401 and 403 the caller, 404 the id, 409 the state, 413 the size, 429 and 503 to ask again later.",
		Content:     map[string]*huma.MediaType{contentType: {Schema: schema}},
	}
}

// humaAdapter lets Huma's operations in through mount.
type humaAdapter struct{ server *Server }

// Handle mounts an operation.
func (a humaAdapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	declared, ok := op.Metadata[accessKey].(route)
	if !ok {
		declared = route{} // which mount refuses
	}
	declared.method, declared.path = op.Method, op.Path
	declared.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler(&humaContext{wrapped: humago.NewContext(op, r, w)})
	})
	if err := a.server.mount(declared); err != nil {
		panic(err) // which handle catches
	}
}

// ServeHTTP is never asked: the server's own mux is.
func (a humaAdapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.server.mux.ServeHTTP(w, r) }

// wrapped is what [humaContext] embeds: under its own name the field would hide the method Context.
type wrapped = huma.Context

// humaContext lets the words decide the status of what Huma itself refuses.
type humaContext struct {
	wrapped

	refused *problem
}

// SetStatus sets the status of the problem that the answer became, if it did.
func (c *humaContext) SetStatus(status int) {
	if c.refused != nil {
		status = c.refused.Status
	}
	c.wrapped.SetStatus(status)
}

// newHuma makes the API that the documented operations are part of, without any of Huma's own routes: theirs load their
// page from elsewhere, and all of ours go through mount.
func (s *Server) newHuma() huma.API {
	cfg := huma.DefaultConfig("enlace", "1")
	cfg.CreateHooks = nil // would add $schema to every answer
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.Transformers = []huma.Transformer{s.wordRefusals}
	describeAPI(cfg.OpenAPI, s.publicURL.String())
	return huma.NewAPI(cfg, humaAdapter{s})
}

// wordRefusals turns what Huma itself refuses into a problem in our words.
func (s *Server) wordRefusals(ctx huma.Context, _ string, v any) (any, error) {
	refusal, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	own, ok := ctx.(*humaContext)
	if !ok {
		return nil, errors.New("a context that isn't ours")
	}
	p := s.problem(ctx.Context(), faultOfRefusal(refusal))
	own.refused = p
	ctx.SetHeader("Content-Type", p.ContentType(""))
	return p, nil
}
