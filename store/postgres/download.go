package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	embedded "github.com/fergusstrange/embedded-postgres"
	"github.com/rs/zerolog"
)

// downloads are the versions that can be fetched; the first is the one for new data.
var downloads = []struct {
	major   int
	version embedded.PostgresVersion
}{{17, embedded.V17}, {18, embedded.V18}, {16, embedded.V16}, {15, embedded.V15}, {14, embedded.V14}}

// download fetches PostgreSQL's programs once and keeps them beside the data folders. The library has no call for just
// that: it is asked to start a server in a folder of its own, and what counts is that the programs are there then. (For
// root its initdb refuses, after the download.)
func download(ctx context.Context, major int, log zerolog.Logger) (string, error) {
	for _, d := range downloads {
		if major != 0 && d.major != major {
			continue
		}
		base, err := DefaultDataDir()
		if err != nil {
			return "", err
		}
		dir := filepath.Join(filepath.Dir(base), "programs", fmt.Sprintf("%s-%s-%s", d.version, runtime.GOOS, runtime.GOARCH))
		if _, err := look(ctx, filepath.Join(dir, "bin")); err == nil {
			return filepath.Join(dir, "bin"), nil
		}
		log.Info().Msgf("no PostgreSQL found: downloading version %s to %s, once", d.version, dir)
		if err := fetch(ctx, embedded.DefaultConfig(), d.version, dir); err != nil {
			return "", fmt.Errorf("download PostgreSQL %s: %w", d.version, err)
		}
		return filepath.Join(dir, "bin"), nil
	}
	return "", errors.New("that version cannot be downloaded either")
}

func fetch(ctx context.Context, config embedded.Config, version embedded.PostgresVersion, dir string) error {
	scratch, err := os.MkdirTemp("", "enlace-postgres-download-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	port, err := freePort(ctx, 0)
	if err != nil {
		return err
	}
	config = config.Version(version).BinariesPath(dir).CachePath(filepath.Join(scratch, "cache")).
		RuntimePath(filepath.Join(scratch, "run")).DataPath(filepath.Join(scratch, "data")).Port(uint32(port)).Logger(io.Discard) //nolint:gosec // a port is not negative
	server := embedded.NewDatabase(config)
	started := server.Start()
	if started == nil {
		if err := server.Stop(); err != nil {
			return fmt.Errorf("stop the first server: %w", err)
		}
	}
	if _, err := look(ctx, filepath.Join(dir, "bin")); err != nil {
		return errors.Join(started, err)
	}
	return os.Chmod(dir, 0o755) //nolint:gosec // as root, another account runs them
}
