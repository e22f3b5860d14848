package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// attributes puts the program into a process group of its own, so that Ctrl-C reaches enlace alone, which stops the
// server last; and has the kernel stop it if we are killed.
func attributes(a *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: a.credential(), Pdeathsig: syscall.SIGINT}
}

// runTied starts the command and calls ended when it is over. Pdeathsig fires when the thread that started the child
// ends, not the process: so that thread waits here for as long as the child lives.
func runTied(cmd *exec.Cmd, ended func(error)) (*os.Process, error) {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended(cmd.Wait())
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return cmd.Process, nil
}

// commandLine returns the arguments of a running process, empty if there is none of that number.
func commandLine(pid int) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return "", nil
	}
	return string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})), err
}
