package providers_test

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

// However a value was read, it is the same.
func TestShapesAgree(t *testing.T) {
	t.Parallel()

	for want, c := range map[string]struct {
		shape providers.Shape
		ways  []string
	}{
		`"plain"`:                {providers.TextShape, []string{`"plain"`}},
		`"007"`:                  {providers.TextShape, []string{`"007"`}},
		`12.5`:                   {providers.NumberShape, []string{`12.5`, `12.50`, `"12.50"`, `"12.5"`, `1.25e1`}},
		`1000`:                   {providers.NumberShape, []string{`1000`, `1000.00`, `"1000"`, `1e3`}},
		`"n/a"`:                  {providers.NumberShape, []string{`"n/a"`}},
		`true`:                   {providers.BooleanShape, []string{`true`, `"true"`}},
		`"2026-11-24T10:00:00Z"`: {providers.MomentShape, []string{`"2026-11-24T11:00:00+01:00"`, `"2026-11-24T10:00:00Z"`, `"2026-11-24T15:30:00+05:30"`}},
		`"554023000000222001"`:   {providers.LookupShape, []string{`"554023000000222001"`, `{"id":"554023000000222001"}`, `{"name":"A \"B\"","id":"554023000000222001"}`, `554023000000222001`}},
		`["A","B"]`:              {providers.ChoicesShape, []string{`["A","B"]`, `"A;B"`, `[{"name":"A","id":"1"},{"name":"B"}]`}},
		`{"x":[1]}`:              {providers.AnyShape, []string{`{"x":[1]}`, `"{\"x\":[1]}"`}},
		`"two\nlines"`:           {providers.TextShape, []string{`"two\nlines"`, `"two\r\nlines"`}},
		`null`:                   {providers.TextShape, []string{`null`, `""`, ``}},
	} {
		for _, raw := range c.ways {
			got, err := json.Marshal(c.shape.Value(jsontext.Value(raw), ";"), json.Deterministic(true))
			require.NoError(t, err)
			require.Equal(t, want, string(got), "%s", raw)
		}
	}
}

func TestDig(t *testing.T) {
	t.Parallel()

	raw := jsontext.Value(`{"data":[{"id":554023000000123001,"x":{"y":"z"}},7],"n":null}`)
	require.Equal(t, "554023000000123001", providers.Plain(raw, "data", "0", "id"))
	require.Equal(t, "z", providers.Plain(raw, "data", "0", "x", "y"))
	require.Equal(t, "7", providers.Plain(raw, "data", "1"))
	for _, path := range [][]string{{"data"}, {"data", "2"}, {"data", "-1"}, {"data", "x"}, {"n"}, {"n", "0"}, {"other", "0", "id"}, {"data", "0"}} {
		require.Empty(t, providers.Plain(raw, path...), path)
	}
	require.Nil(t, providers.Items(jsontext.Value(`{"a":1}`)))
	require.Nil(t, providers.Dig(nil, "a"))
}
