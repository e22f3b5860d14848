package worker_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheEngineNamesNoProvider: whoever adds a provider changes no file of these packages.
func TestTheEngineNamesNoProvider(t *testing.T) {
	t.Parallel()

	folders, err := os.ReadDir("../providers")
	require.NoError(t, err)
	var names []string
	for _, f := range folders {
		if f.IsDir() && !slices.Contains([]string{"providertest", "sandbox", "words"}, f.Name()) {
			names = append(names, f.Name())
		}
	}
	require.Contains(t, names, "pipedrive")
	named := regexp.MustCompile(`(?i)\b(` + strings.Join(names, "|") + `)\b`)
	looked := 0
	for _, pattern := range []string{"../worker/*.go", "../jobs/*.go", "../store/*.go", "../store/rules/*.go", "../store/vault/*.go", "../providers/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			looked++
			for n, line := range strings.Split(string(text), "\n") {
				code, _, _ := strings.Cut(line, "//") // examples may name one
				require.False(t, named.MatchString(code), "%s:%d: %s", file, n+1, line)
			}
		}
	}
	require.Greater(t, looked, 30)
}
