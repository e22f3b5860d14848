package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/rs/zerolog"
)

// oldest is the oldest major version that enlace's migrations run on.
const oldest = 14

// folders are where systems keep the programs off PATH: Debian and Ubuntu, Homebrew on both kinds of Mac, Postgres.app,
// Red Hat and its kin, the Windows installer.
var folders = []string{
	"/usr/lib/postgresql/*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/pgsql-*/bin",
	`C:\Program Files\PostgreSQL\*\bin`,
}

// programs is a folder with initdb and postgres.
type programs struct {
	dir   string
	major int
}

// findPrograms returns the folder of initdb and postgres: ENLACE_PG_BIN, else the one on PATH, else the newest that is
// installed, else one that is downloaded. A data folder can only be opened by the version that made it; major is that
// version, or 0 for any.
func findPrograms(ctx context.Context, major int, log zerolog.Logger) (string, error) {
	if dir := os.Getenv("ENLACE_PG_BIN"); dir != "" {
		p, err := look(ctx, dir)
		if err != nil {
			return "", fmt.Errorf("ENLACE_PG_BIN must name the folder that holds initdb and postgres: %w", err)
		}
		return pick([]programs{p}, major)
	}
	found := installed(ctx)
	dir, err := pick(found, major)
	if err == nil {
		return dir, nil
	}
	dir, downloadErr := download(ctx, major, log)
	if downloadErr != nil {
		return "", errors.Join(err, downloadErr)
	}
	return dir, nil
}

// installed lists what the machine has, the one on PATH first, then newest first.
func installed(ctx context.Context) []programs {
	var found []programs
	for _, pattern := range folders {
		dirs, _ := filepath.Glob(pattern) // the patterns are well-formed
		for _, dir := range dirs {
			if p, err := look(ctx, dir); err == nil {
				found = append(found, p)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b programs) int { return b.major - a.major })

	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil { // initdb lies beside the real one
			if p, err := look(ctx, filepath.Dir(path)); err == nil {
				found = slices.Insert(found, 0, p)
			}
		}
	}
	return found
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// look asks the programs in a folder for their version.
func look(ctx context.Context, dir string) (programs, error) {
	if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
		return programs{}, err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // one of the folders above
	if err != nil {
		return programs{}, fmt.Errorf("ask postgres in %s for its version: %w", dir, err)
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return programs{}, fmt.Errorf("ask postgres in %s for its version: it says %q", dir, out)
	}
	major, err := strconv.Atoi(string(m[1]))
	return programs{dir: dir, major: major}, err
}

// pick returns the first folder that fits.
func pick(found []programs, major int) (string, error) {
	for _, p := range found {
		if p.major == major || major == 0 && p.major >= oldest {
			return p.dir, nil
		}
	}
	const remedy = "install it (Debian: apt-get install postgresql, macOS: brew install postgresql@17), name its folder in ENLACE_PG_BIN, or set DATABASE_URL to a server that runs"
	if major != 0 {
		return "", fmt.Errorf("the data was made by PostgreSQL %d, which is not here: %s, or choose another data folder", major, remedy)
	}
	return "", fmt.Errorf("no PostgreSQL %d or newer was found: %s", oldest, remedy)
}
