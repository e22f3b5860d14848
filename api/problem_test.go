package api_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
)

func TestOnlyTextThatCannotBeStoredIsTheCallersFault(t *testing.T) {
	t.Parallel()

	for state, want := range map[string]string{
		"22021": "validation_failed", // not UTF-8
		"22P05": "validation_failed", // a NUL in JSON
		"22003": "internal",          // out of range
		"22012": "internal",          // divided by zero
		"22P02": "internal",          // an id that isn't one: pathID reads those
	} {
		require.Equal(t, want, api.CodeOf(fmt.Errorf("list: %w", &pgconn.PgError{Code: state})), state)
	}
}
