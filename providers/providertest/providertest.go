// Package providertest is the contract of package providers as tests: what an adapter promises, whatever the provider
// behind it. An adapter runs a suite against its fake, and has its own tests for wire shapes only.
//
// A suite knows nothing of a provider's words. What it needs of the fake is an interface such as [Sandbox], which the
// adapter's test implements in a few lines.
package providertest

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Bodies is a transport whose test fails if an answer's body was left open.
func Bodies(t *testing.T, base http.RoundTripper) http.RoundTripper {
	t.Helper()
	b := &bodies{base: base}
	t.Cleanup(func() { require.Zero(t, b.open.Load(), "answers whose body was not closed") })
	return b
}

type bodies struct {
	base http.RoundTripper
	open atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (b *bodies) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // a transport adds nothing
	}
	b.open.Add(1)
	resp.Body = &body{ReadCloser: resp.Body, done: func() { b.open.Add(-1) }}
	return resp, nil
}

type body struct {
	io.ReadCloser
	once sync.Once
	done func()
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.once.Do(b.done)
	return b.ReadCloser.Close() //nolint:wrapcheck // as it is
}
