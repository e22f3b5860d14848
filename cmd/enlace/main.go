// Command enlace syncs the accounts that people connect, durably: one program for the API, the workers, the development
// server and the tools of whoever operates it. This package reads the environment and the command line and wires the
// others together; what they do is theirs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or configuration: nothing was begun
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program. The first interrupt or termination signal asks it to stop in good order, a second one ends it at
// once. A failure is one line on stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal is the system's again

	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root() //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !a.began {
		err = usagef("%s; see `enlace --help`", oneLine(err))
	}
	if !errors.Is(err, errSaid) {
		_, _ = fmt.Fprintf(stderr, "enlace: %s\n", oneLine(err))
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// app is one call of the program.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	began bool // the command line was understood
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "enlace",
		Short: "Syncs the accounts that people connect, durably",
		Long: `enlace syncs the accounts that people connect, durably: one Go program and one Postgres.

Start with "enlace dev": it needs nothing else. In production, "enlace migrate" prepares the database and
"enlace serve" runs the API and the workers; they are configured by the environment, see .env.example.`,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true,
		CompletionOptions:  cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:   func(*cobra.Command, []string) { a.began = true },
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run it:"},
		&cobra.Group{ID: groupUse, Title: "Use it:"},
		&cobra.Group{ID: groupOperate, Title: "Operate it:"},
	)
	root.AddCommand(
		a.devCommand(), a.serveCommand(), a.apiCommand(), a.workerCommand(), a.sandboxCommand(),
		a.syncCommand(), a.previewCommand(), a.runsCommand(), a.integrationsCommand(),
		a.incidentsCommand(), a.failuresCommand(), a.deletionsCommand(), a.verifyCommand(),
		a.migrateCommand(), a.doctorCommand(), a.keysCommand(), a.healthCommand(),
	)
	return root
}

// The groups of the commands in --help.
const (
	groupRun     = "run"
	groupUse     = "use"
	groupOperate = "operate"
)

// A usageError is wrong usage or configuration: its text says what to do.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// errSaid is a failure whose reason the command has already written where people read it.
var errSaid = errors.New("failed")

// oneLine makes one line of an error, such as a joined one.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}
