package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"example.com/enlace/providers/words"
)

// call is what the layers around a handler know of a request.
type call struct {
	id        string // X-Request-Id
	lang      words.Lang
	function  bool // asked the way supabase-js asks
	pattern   string
	principal Principal
	body      []byte
	status    int // of success, as the operation declares it
	request   *http.Request
}

type callKey struct{}

// callOf is the call that a context belongs to; never nil.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{lang: words.En}
	}
	return c
}

// functionsPrefix is where supabase-js asks.
const functionsPrefix = "/functions/v1/"

// withCall begins a call.
func withCall(r *http.Request) (*http.Request, *call) {
	c := &call{
		id: uuid.Must(uuid.NewV7()).String(), lang: words.Pick(r.Header.Get("Accept-Language")),
		function: strings.HasPrefix(r.URL.Path, functionsPrefix),
	}
	c.request = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	return c.request, c
}
