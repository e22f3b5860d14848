package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadmeNamesEverySetting: the table in the README has each variable of .env.example in the words that stand there,
// and no other.
func TestReadmeNamesEverySetting(t *testing.T) {
	t.Parallel()

	env, err := os.ReadFile("../../.env.example")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	documented := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^# (.+)\n([A-Z0-9_]+)=`).FindAllStringSubmatch(string(env), -1) {
		documented[m[2]] = m[1]
	}
	delete(documented, "POSTGRES_PASSWORD") // of docker-compose.yml alone
	delete(documented, "ENLACE_PUBLISH")
	named := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\| (.+) \\|$").FindAllStringSubmatch(string(readme), -1) {
		named[m[1]] = m[2]
	}
	require.NotEmpty(t, documented)
	require.Equal(t, documented, named)
}
