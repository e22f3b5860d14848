package postgres

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// account is not needed: PostgreSQL gives up an administrator's rights by itself here.
type account struct{}

func chooseAccount(string) (*account, error) { return nil, nil }

func (*account) own(string) error { return nil }

// attributes puts the program into a process group of its own, so that Ctrl-C reaches enlace alone, which stops the
// server last.
func attributes(*account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// runTied starts the command and calls ended when it is over.
func runTied(cmd *exec.Cmd, ended func(error)) (*os.Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { ended(cmd.Wait()) }()
	return cmd.Process, nil
}

// askToStop goes through pg_ctl, which knows how to signal a server here.
func askToStop(_ *os.Process, c *cluster) error {
	return c.command("pg_ctl", "stop", "--no-wait", "--mode=fast", "--pgdata", c.data()).Run()
}

func forceToStop(process *os.Process) error { return process.Kill() }

// commandLine says nothing of a process: the server itself judges a file that an earlier run left.
func commandLine(int) (string, error) {
	return "", errors.ErrUnsupported
}

// lockFile takes the file for this process; the system gives it back when the process ends. With wait it waits for its turn.
func lockFile(f *os.File, wait bool) error {
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK)
	if !wait {
		flags |= windows.LOCKFILE_FAIL_IMMEDIATELY
	}
	// A byte far behind the content, which others may then still read.
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
}
