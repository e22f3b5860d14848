package providers_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

func TestCleanJSON(t *testing.T) {
	t.Parallel()

	for sentence, tt := range map[string]struct{ in, want string }{
		"plain text stays":                               {`{"a":"b"}`, `{"a":"b"}`},
		"an escaped NUL goes":                            {`"\u0000weird\u0007"`, `"weird\u0007"`},
		"all of several go":                              {`"\u0000\u0000a\u0000"`, `"a"`},
		"a raw NUL goes":                                 {"\"a\x00b\"", `"ab"`},
		"an escaped backslash before u0000 stays":        {`"\\u0000"`, `"\\u0000"`},
		"three backslashes are one and an escape":        {`"\\\u0000"`, `"\\"`},
		"an escaped quote stays":                         {`"\"\u00e9\""`, `"\"\u00e9\""`},
		"a pair stays":                                   {`"\ud83d\ude00"`, `"\ud83d\ude00"`},
		"a pair in capitals stays":                       {`"\uD83D\uDE00"`, `"\uD83D\uDE00"`},
		"a first half alone goes":                        {`"a\ud83db"`, `"ab"`},
		"a first half at the end goes":                   {`"a\ud83d"`, `"a"`},
		"a first half before another first half goes":    {`"\ud83d\ud83d\ude00"`, `"\ud83d\ude00"`},
		"a second half alone goes":                       {`"\ude00"`, `""`},
		"a half before another escape":                   {`"\ud83d\n"`, `"\n"`},
		"bytes that are no UTF-8 go":                     {"\"a\xffb\xe4\"", `"ab"`},
		"a cut-off escape is left for the decoder":       {`"\u00`, `"\u00`},
		"a backslash at the end is left":                 {`"\u0041\`, `"\u0041\`},
		"an escape that is none is left":                 {`"\uzzzz"`, `"\uzzzz"`},
		"beyond ASCII stays":                             {`"李小龍 🐉 \u674e"`, `"李小龍 🐉 \u674e"`},
		"in names of members too":                        {`{"\u0000a":1}`, `{"a":1}`},
		"a half, then NUL, then the other half all go":   {`"\ud83d\u0000\ude00"`, `""`},
		"a raw NUL inside an escape makes no new escape": {"\"\\u00\x0000\"", `""`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, string(providers.CleanJSON([]byte(tt.in))))
		})
	}
}

// Whatever comes, what is left can be kept: no NUL, no broken character, and no less JSON than before.
func FuzzCleanJSON(f *testing.F) {
	for _, seed := range []string{`"\u0000\ud83d\\u0000"`, "\"\xff\x00\"", `{"a":["\ud83d\ude00"]}`, `"\\\\\u0000"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		valid := json.Valid(in)
		out := providers.CleanJSON(append([]byte(nil), in...))
		require.True(t, utf8.Valid(out))
		require.NotContains(t, string(out), "\x00")
		if !valid {
			return
		}
		require.True(t, json.Valid(out), "%q became %q", in, out)
		var v any
		require.NoError(t, json.Unmarshal(out, &v))
		require.NotContains(t, fmt.Sprint(v), "\x00")
	})
}

func TestParseTime(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-11-24T10:00:00Z":           at,
		"2026-11-24T10:00:00.000Z":       at,
		"2026-11-24T10:00:00.123456Z":    at.Add(123456 * time.Microsecond),
		"2026-11-24T11:00:00+01:00":      at,
		"2026-11-24T11:00:00+0100":       at,
		"2026-11-24T10:00:00":            at,
		"2026-11-24 10:00:00":            at,
		"2026-11-24 10:00:00.5":          at.Add(500 * time.Millisecond),
		"2026-11-24 11:00:00+01:00":      at,
		"  2026-11-24T10:00:00Z ":        at,
		"":                               {},
		" ":                              {},
		"0000-00-00 00:00:00":            {},
		"9999-12-31T23:59:59.999999999Z": time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	} {
		got, err := providers.ParseTime(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "1790000000", "10:00", "2026-11-24T10:00:00Z and more"} {
		_, err := providers.ParseTime(text)
		require.Error(t, err, text)
	}
}

func TestMainAddress(t *testing.T) {
	t.Parallel()

	for sentence, tt := range map[string]struct {
		in   []providers.Address
		want string
	}{
		"none":                                    {nil, ""},
		"only blanks":                             {[]providers.Address{{Value: " ", Primary: true}, {Value: "\t"}}, ""},
		"the primary one":                         {[]providers.Address{{Value: "a"}, {Value: "b", Primary: true}}, "b"},
		"the first of several primary ones":       {[]providers.Address{{Value: "a", Primary: true}, {Value: "b", Primary: true}}, "a"},
		"a blank primary one doesn't count":       {[]providers.Address{{Primary: true}, {Value: " B "}, {Value: "c"}}, " B "},
		"a later primary one outweighs the first": {[]providers.Address{{Value: "", Primary: true}, {Value: "b"}, {Value: "c", Primary: true}}, "c"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()

			got, ok := providers.Main(tt.in)
			require.Equal(t, tt.want, got.Value)
			require.Equal(t, tt.want != "", ok)
		})
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	t.Parallel()

	require.Equal(t, "añ", providers.Cut("añ", 3))
	require.Equal(t, "a", providers.Cut("añb", 2))
	require.Equal(t, []byte{}, providers.Cut([]byte("🐉"), 3))
}
