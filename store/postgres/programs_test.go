//go:build unix

package postgres

import (
	"archive/zip"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	embedded "github.com/fergusstrange/embedded-postgres"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

func TestPick(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		found []programs
		major int
		want  string
		fault string
	}{
		"new data takes the first":           {found: []programs{{"/path", 16}, {"/newer", 18}}, want: "/path"},
		"what is too old is passed over":     {found: []programs{{"/path", 13}, {"/newer", 18}}, want: "/newer"},
		"old data takes its own version":     {found: []programs{{"/path", 18}, {"/older", 15}}, major: 15, want: "/older"},
		"old data without its version":       {found: []programs{{"/path", 18}}, major: 15, fault: "the data was made by PostgreSQL 15, which is not here: install it"},
		"nothing is installed":               {fault: "no PostgreSQL 14 or newer was found: install it"},
		"nothing that is installed would do": {found: []programs{{"/path", 9}}, fault: "or set DATABASE_URL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir, err := pick(test.found, test.major)
			if test.fault != "" {
				require.ErrorContains(t, err, test.fault)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, dir)
		})
	}
}

func TestNamedFolderMustHoldThePrograms(t *testing.T) {
	t.Setenv("ENLACE_PG_BIN", t.TempDir())

	_, err := findPrograms(t.Context(), 0, zerolog.Nop())
	require.ErrorContains(t, err, "ENLACE_PG_BIN must name the folder that holds initdb and postgres")
}

func TestDownload(t *testing.T) {
	t.Parallel()

	t.Run("programs are kept where they were asked for", func(t *testing.T) {
		t.Parallel()

		archive := packInstalled(t)
		repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, ".jar") {
				http.NotFound(w, r)
				return
			}
			jar := zip.NewWriter(w)
			if file, err := jar.Create("postgres.txz"); err == nil {
				_, _ = file.Write(archive)
			}
			_ = jar.Close()
		}))
		t.Cleanup(repository.Close)

		dir := filepath.Join(folder(t), "programs")
		require.NoError(t, fetch(t.Context(), embedded.DefaultConfig().BinaryRepositoryURL(repository.URL), embedded.V17, dir))
		p, err := look(t.Context(), filepath.Join(dir, "bin"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, p.major, oldest)
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.EqualValues(t, 0o755, info.Mode().Perm())
	})

	t.Run("no answer is an error", func(t *testing.T) {
		t.Parallel()

		repository := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(repository.Close)
		err := fetch(t.Context(), embedded.DefaultConfig().BinaryRepositoryURL(repository.URL), embedded.V17, filepath.Join(t.TempDir(), "programs"))
		require.ErrorContains(t, err, "no version found matching")
	})
}

// packInstalled packs the machine's own programs as the library expects a download.
func packInstalled(t *testing.T) []byte {
	t.Helper()
	for _, tool := range []string{"tar", "xz"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is needed to pack an archive", tool)
		}
	}
	found := installed(t.Context())
	if len(found) == 0 {
		t.Skip("no PostgreSQL is installed that could be packed")
	}
	cmd := exec.Command("tar", "-cJf", "-", "-C", filepath.Dir(found[0].dir), "bin/initdb", "bin/postgres", "bin/pg_ctl")
	cmd.Env = append(os.Environ(), "XZ_OPT=-0")
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}
