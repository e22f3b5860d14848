//go:build unix

package postgres

import (
	"os"
	"syscall"
)

// askToStop is PostgreSQL's fast shutdown: clients are cut off, data is written.
func askToStop(process *os.Process, _ *cluster) error { return process.Signal(syscall.SIGINT) }

// forceToStop is its immediate shutdown: the next start replays the log.
func forceToStop(process *os.Process) error { return process.Signal(syscall.SIGQUIT) }

// lockFile takes the file for this process; the kernel gives it back when the process ends. With wait it waits for its turn.
func lockFile(f *os.File, wait bool) error {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err != syscall.EINTR {
			return err
		}
	}
}
