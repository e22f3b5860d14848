package api_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// document is the OpenAPI document that a server serves, to which all its answers in these tests are held.
type document struct{ router routers.Router }

func readDocument(t *testing.T, server http.Handler) *document {
	t.Helper()
	answer := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/openapi.json", http.NoBody)
	r.RemoteAddr = "127.0.0.1:1" // in dev, only this machine is answered
	server.ServeHTTP(answer, r)
	require.Equal(t, http.StatusOK, answer.Code)
	doc, err := openapi3.NewLoader().LoadFromData(answer.Body.Bytes())
	require.NoError(t, err)
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	return &document{router}
}

// check holds an answer to the document, if it is of an operation that the document has.
func (d *document) check(t *testing.T, resp *http.Response, body []byte) {
	t.Helper()
	route, params, err := d.router.FindRoute(resp.Request)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		return
	}
	require.NoError(t, err)
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: resp.Request, PathParams: params, Route: route},
		Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	require.NoError(t, err, "%s %s: %s", resp.Request.Method, resp.Request.URL, body)
}
