package providers_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers"
)

func zipped(tb testing.TB, files map[string]string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		require.NoError(tb, err)
		_, err = io.WriteString(f, text)
		require.NoError(tb, err)
	}
	require.NoError(tb, w.Close())
	return b.Bytes()
}

// openExport serves a file and opens it as an export.
func openExport(t *testing.T, body []byte) (*providers.Export, error) {
	t.Helper()
	base, client := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	client.Timeout = time.Minute
	e, answer, err := providers.NewHTTP(client, 0).OpenExport(t.Context(), "fetch", base)
	if err == nil {
		require.Equal(t, http.StatusOK, answer.Status)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
	}
	return e, err
}

func texts(t *testing.T, e *providers.Export, after, limit int) (list []string, end bool) {
	t.Helper()
	records, err := e.Read(after, limit)
	for _, r := range records {
		list = append(list, string(r))
	}
	if errors.Is(err, io.EOF) {
		return list, true
	}
	require.NoError(t, err)
	return list, false
}

func TestExportIsReadRowByRow(t *testing.T) {
	t.Parallel()

	csv := "\ufeffid,Name,Note\r\n1,\"Ann, \"\"A.\"\"\",\"two\nlines\"\r\n2,王 🐉,\r\n3,nul\x00nul,x\r\n"
	body := zipped(t, map[string]string{"contacts.csv": csv})
	e, err := openExport(t, body)
	require.NoError(t, err)
	first, end := texts(t, e, 0, 2)
	require.False(t, end)
	require.Equal(t, []string{`{"Name":"Ann, \"A.\"","Note":"two\nlines","id":"1"}`, `{"Name":"王 🐉","id":"2"}`}, first)
	require.Equal(t, 2, e.Row())
	rest, end := texts(t, e, 2, 2)
	require.True(t, end)
	require.Equal(t, []string{`{"Name":"nulnul","Note":"x","id":"3"}`}, rest)

	again, err := openExport(t, body)
	require.NoError(t, err)
	rest, end = texts(t, again, 2, 5)
	require.True(t, end, "another process goes on where it was")
	require.Len(t, rest, 1)
}

func TestExportLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	e, err := openExport(t, zipped(t, map[string]string{"a.csv": "id\n1\n"}))
	require.NoError(t, err)
	_, err = e.Read(0, 1)
	require.NoError(t, err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "killed now, nothing would stay")
}

func TestBrokenExports(t *testing.T) {
	t.Parallel()

	rows := "id,n\n"
	for i := range 5000 {
		rows += strconv.Itoa(i) + "," + strconv.Itoa(i*7919) + "\n"
	}
	whole := zipped(t, map[string]string{"a.csv": rows})
	spoilt := bytes.Clone(whole)
	copy(spoilt[len(spoilt)/2:], "spoilt spoilt spoilt")
	for what, c := range map[string]struct {
		body []byte
		kind providers.ErrorKind
	}{
		"a web page":        {[]byte("<html>Sign in</html>"), providers.Transient},
		"cut off":           {whole[:len(whole)/2], providers.Transient},
		"nothing":           {nil, providers.Transient},
		"two files":         {zipped(t, map[string]string{"a.csv": "id\n", "b.csv": "id\n"}), providers.SchemaChanged},
		"no header":         {zipped(t, map[string]string{"a.csv": ""}), providers.SchemaChanged},
		"a row too short":   {zipped(t, map[string]string{"a.csv": "id,n\n1\n"}), providers.SchemaChanged},
		"a row without end": {zipped(t, map[string]string{"a.csv": "id,n\n1,\"" + strings.Repeat("x", 17<<20)}), providers.SchemaChanged},
		"spoilt":            {spoilt, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()

			e, err := openExport(t, c.body)
			if err == nil {
				_, err = e.Read(0, 1<<20)
			}
			var told *providers.Error
			require.ErrorAs(t, err, &told)
			if c.kind != "" { // what a flipped byte unpacks to is anybody's guess
				require.Equal(t, c.kind, told.Kind, "%v", err)
			}
			require.NotContains(t, err.Error(), "7919", "no values in errors")
		})
	}
}

func TestRefusedExport(t *testing.T) {
	t.Parallel()

	base, client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"INVALID_DATA"}`)
	})
	e, answer, err := providers.NewHTTP(client, 0).OpenExport(t.Context(), "fetch", base)
	require.NoError(t, err)
	require.Nil(t, e)
	require.Equal(t, http.StatusNotFound, answer.Status)
	require.Contains(t, string(answer.Body), "INVALID_DATA")
}
