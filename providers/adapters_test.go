package providers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAdaptersAreSmall: what an adapter needs in lines of code, which are neither blank nor comments, measures what the
// contract leaves to it.
func TestAdaptersAreSmall(t *testing.T) {
	t.Parallel()

	for adapter, most := range map[string]int{"hubspot": 250, "pipedrive": 400, "zoho": 800} {
		lines := 0
		require.NoError(t, filepath.WalkDir(adapter, func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
					lines++
				}
			}
			return err
		}))
		require.Positive(t, lines, adapter)
		require.LessOrEqual(t, lines, most, adapter)
	}
}
