package providers_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/enlace/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve answers with h, and gives a client of its own.
func serve(t *testing.T, h http.HandlerFunc) (base string, client *http.Client) {
	t.Helper()
	server := httptest.NewServer(h)
	transport := providers.NewTransport(0)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, &http.Client{Transport: transport}
}

func TestGetBoundsTime(t *testing.T) {
	t.Parallel()

	for sentence, h := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a body that never ends": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"data":[`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			base, client := serve(t, h)
			_, err := providers.NewHTTP(client, 50*time.Millisecond).Get(t.Context(), "fake: list", base)
			require.Equal(t, providers.Transient, providers.KindOf(err))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestTheWaitForHeadersHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()

	base, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	transport := providers.NewTransport(50 * time.Millisecond)
	defer transport.CloseIdleConnections()
	_, err := providers.NewHTTP(&http.Client{Transport: transport}, 0).Get(t.Context(), "fake: list", base)
	require.Equal(t, providers.Transient, providers.KindOf(err))
	require.ErrorContains(t, err, "awaiting response headers")
}

func TestGetFollowsNoRedirect(t *testing.T) {
	t.Parallel()

	asked := 0
	base, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	answer, err := providers.NewHTTP(client, 0).Get(t.Context(), "fake: list", base)
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, answer.Status)
	require.Equal(t, 1, asked)
	require.Nil(t, client.CheckRedirect, "the caller's client is its own")
}

func TestAnErrorOfTheTransportKeepsItsKind(t *testing.T) {
	t.Parallel()

	refused := &providers.Error{Kind: providers.NeedsReauth, Variant: "revoked"}
	client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, refused })}
	_, err := providers.NewHTTP(client, 0).Get(t.Context(), "fake: list", "http://fake.example/?secret=1")
	var got *providers.Error
	require.ErrorAs(t, err, &got)
	require.Equal(t, providers.Error{Kind: providers.NeedsReauth, Variant: "revoked", Op: "fake: list"}, *got)
	require.Empty(t, refused.Op, "the transport's error is its own")
}

func TestNetworkErrorsDoNotRepeatTheURL(t *testing.T) {
	t.Parallel()

	client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") })}
	_, err := providers.NewHTTP(client, 0).Get(t.Context(), "fake: list", "http://fake.example/?cursor=private")
	require.EqualError(t, err, "fake: list: transient: no route to host")
	_, err = providers.NewHTTP(client, 0).Get(t.Context(), "fake: list", "http://fake.example:port/")
	require.Equal(t, providers.Internal, providers.KindOf(err))
}

func TestAnAnswerHasABound(t *testing.T) {
	t.Parallel()

	ask := func(status int, size int64, told bool) (*providers.Answer, error) {
		h := providers.NewHTTP(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			resp := &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: -1, Request: r}
			resp.Body = io.NopCloser(io.LimitReader(zeros{}, size))
			if told {
				resp.ContentLength = size
			}
			return resp, nil
		})}, 0)
		h.MaxBody = 1000
		return h.Get(t.Context(), "fake: list", "http://fake.example/")
	}
	for _, told := range []bool{false, true} {
		answer, err := ask(200, 1000, told)
		require.NoError(t, err)
		require.Len(t, answer.Body, 1000)
		_, err = ask(200, 1001, told)
		require.Equal(t, providers.SchemaChanged, providers.KindOf(err))
		answer, err = ask(500, 3<<20, told)
		require.NoError(t, err)
		require.Len(t, answer.Body, 1<<20, "a refusal is read in part")
	}
}

type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(b []byte) (int, error) { return len(b), nil }

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetryAfter(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "7": 7 * time.Second, "soon": 0, "1.5": 0,
		"Tue, 24 Nov 2026 10:01:00 GMT": time.Minute, "Tue, 24 Nov 2026 09:00:00 GMT": 0,
		"99999999999999": (1 << 30) * time.Second,
	} {
		answer := providers.Answer{Header: http.Header{"Retry-After": {text}, "Date": {"Tue, 24 Nov 2026 10:00:00 GMT"}}}
		require.Equal(t, want, answer.RetryAfter(), text)
	}
	withoutDate := providers.Answer{Header: http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}}
	require.InDelta(t, time.Hour, withoutDate.RetryAfter(), float64(2*time.Second))
}

func TestDecodeToldApart(t *testing.T) {
	t.Parallel()

	for body, want := range map[string]providers.ErrorKind{
		`{"name":"a","name":"b","other":{}}`: "",
		`{"name":"a`:                         providers.Transient,
		`{"name":"a"} and more`:              providers.Transient,
		`<html>`:                             providers.Transient,
		``:                                   providers.Transient,
		`{"name":1}`:                         providers.SchemaChanged,
		`"maintenance"`:                      providers.SchemaChanged,
	} {
		var v struct{ Name string }
		answer := providers.Answer{Status: 200, Body: []byte(strings.ReplaceAll(body, "name", "Name"))}
		err := answer.Decode("fake: list", &v)
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, "b", v.Name)
			continue
		}
		require.Equal(t, want, providers.KindOf(err), body)
	}

	var v struct {
		Private int `json:"private"`
	}
	err := (&providers.Answer{Status: 200, Body: []byte(`{"private":"zoe@example.com"}`)}).Decode("fake: list", &v)
	require.EqualError(t, err, "fake: list: schema_changed (200): the answer has an unexpected form at /private", "values are not repeated")
}

func TestSameSecret(t *testing.T) {
	t.Parallel()

	require.True(t, providers.SameSecret("a", "a"))
	require.False(t, providers.SameSecret("a", "b"))
	require.False(t, providers.SameSecret("", ""))
}

func TestRedactCutsTheSecretsThatItIsTold(t *testing.T) {
	t.Parallel()

	require.Equal(t, "code … is not valid", providers.Redact("code abcd-plain is not valid", "abcd-plain"))
	require.Equal(t, "a is not valid", providers.Redact("a is not valid", "a", ""))
	long := []rune(providers.Redact(strings.Repeat("ñ ", 500)))
	require.Len(t, long, providers.MaxDetail)
	require.Equal(t, '…', long[len(long)-1])
}

func TestTextIsDigitForDigit(t *testing.T) {
	t.Parallel()

	var v struct{ A, B, C, D providers.Text }
	v.C = "before"
	answer := providers.Answer{Body: []byte(`{"A":90071992547409931234,"B":"007","C":null}`)}
	require.NoError(t, answer.Decode("fake: list", &v))
	require.Equal(t, []providers.Text{"90071992547409931234", "007", "", ""}, []providers.Text{v.A, v.B, v.C, v.D})
	for _, odd := range []string{`{"A":true}`, `{"A":{}}`, `{"A":[1]}`} {
		answer := providers.Answer{Body: []byte(odd)}
		require.Equal(t, providers.SchemaChanged, providers.KindOf(answer.Decode("fake: list", &v)), odd)
	}
}
