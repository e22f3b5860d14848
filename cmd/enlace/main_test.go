package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is the program as it is built for people: tests of start, stop and configuration run it as they do.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "enlace-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // another account runs it too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "enlace")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// commandLimit is far more than any command here takes on a busy machine.
const commandLimit = 2 * time.Minute

// ended is what a command left.
type ended struct {
	stdout, stderr string
	code           int
}

// enlace runs the program with exactly this environment.
func enlace(t *testing.T, env []string, args ...string) ended {
	t.Helper()
	return withInput(t, env, "", args...)
}

// withInput is enlace with something to read.
func withInput(t *testing.T, env []string, input string, args ...string) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append([]string{}, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		require.NoError(t, err)
	}
	return ended{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// call runs the program inside the test.
func call(t *testing.T, args ...string) ended {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return ended{stdout.String(), stderr.String(), code}
}

func TestWrongUsageIsOneLineThatSaysWhatToDo(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		args []string
		line string
	}{
		"an unknown command":            {[]string{"snyc"}, "enlace: unknown command \"snyc\" for \"enlace\"; see `enlace --help`\n"},
		"an unknown flag":               {[]string{"dev", "--port", "1"}, "enlace: unknown flag: --port; see `enlace --help`\n"},
		"a flag of another type":        {[]string{"dev", "--contacts", "many"}, "enlace: invalid argument \"many\" for \"--contacts\" flag: strconv.ParseInt: parsing \"many\": invalid syntax; see `enlace --help`\n"},
		"an argument too many":          {[]string{"serve", "now"}, "enlace: unknown command \"now\" for \"enlace serve\"; see `enlace --help`\n"},
		"an argument too few":           {[]string{"sync"}, "enlace: accepts 1 arg(s), received 0; see `enlace --help`\n"},
		"dev for other machines":        {[]string{"dev", "--addr", "0.0.0.0:8080"}, "enlace: --addr must be an address of this machine alone, such as 127.0.0.1:8080: `enlace dev` has a key that everybody knows; use `enlace serve` to be reached from elsewhere\n"},
		"dev on no address":             {[]string{"dev", "--addr", "8080"}, "enlace: --addr must look like 127.0.0.1:8080\n"},
		"dev with fewer than none":      {[]string{"dev", "--contacts", "-1"}, "enlace: --contacts must be 0 or more\n"},
		"the sandbox with such":         {[]string{"sandbox", "--contacts", "-1"}, "enlace: --contacts must be 0 or more\n"},
		"a key for nobody":              {[]string{"keys", "new"}, "enlace: --tenant must be the tenant's UUID\n"},
		"a key that has no id":          {[]string{"keys", "revoke", "x"}, "enlace: ID must be the key's UUID, as `enlace keys list` shows it\n"},
		"an import of something else":   {[]string{"keys", "import", "x"}, "enlace: unknown command \"x\" for \"enlace keys import\"; see `enlace --help`\n"},
		"more runs than a person reads": {[]string{"runs", "--limit", "5000"}, "enlace: --limit must be from 1 to 1000\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := call(t, tt.args...)
			require.Equal(t, ended{"", tt.line, exitUsage}, got)
		})
	}
}

func TestHelpIsThereForEveryCommand(t *testing.T) {
	t.Parallel()

	root := (&app{}).root()
	for _, cmd := range root.Commands() {
		require.NotEmpty(t, cmd.Short, cmd.Name())
		got := call(t, cmd.Name(), "--help")
		require.Equal(t, exitOK, got.code, cmd.Name())
		require.Contains(t, got.stdout, "Usage:\n  enlace "+cmd.Name())
		require.Empty(t, got.stderr)
		for line := range strings.Lines(got.stdout) {
			require.LessOrEqual(t, len(line), 140, "a line of `enlace %s --help`: %s", cmd.Name(), line)
		}
	}
}

func TestErrorOfSeveralLinesIsOne(t *testing.T) {
	t.Parallel()

	require.Equal(t, "a; b:; c", oneLine(errors.Join(errors.New("a"), errors.New("b:\r\n  c"))))
}
