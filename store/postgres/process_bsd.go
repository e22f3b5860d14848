//go:build unix && !linux

package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// attributes puts the program into a process group of its own, so that Ctrl-C reaches enlace alone, which stops the
// server last. The kernel cannot tie it to us here: if we are killed, the next start stops it.
func attributes(a *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: a.credential()}
}

// runTied starts the command and calls ended when it is over.
func runTied(cmd *exec.Cmd, ended func(error)) (*os.Process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { ended(cmd.Wait()) }()
	return cmd.Process, nil
}

// commandLine returns the arguments of a running process, empty if there is none of that number.
func commandLine(pid int) (string, error) {
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:noctx // answers at once
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask ps for process %d: %w", pid, err)
	}
	return string(out), nil
}
