package postgres

import (
	"context"
	"os"
)

// Shared returns a superuser's connection string to a throwaway server for tests, which is started once and shared by the
// test processes of all packages: starting one for each would cost more than most tests. Call release when done; a
// process that is killed has released. Half a minute after its last user left, the server is gone without a trace.
//
// ENLACE_TEST_DATABASE_URL names a server to use instead; it is left as it is.
func Shared(ctx context.Context) (dsn string, release func(), err error) {
	if dsn := os.Getenv("ENLACE_TEST_DATABASE_URL"); dsn != "" {
		return dsn, func() {}, nil
	}
	return joinShared(ctx)
}
