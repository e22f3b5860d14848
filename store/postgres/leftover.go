package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settleLeftover deals with the trace of an earlier run that was killed. The caller holds the folder's lock, so a server
// that still runs there has lost its owner (where the kernel cannot tie it to its parent, or while it is still shutting
// down): it is stopped. A process number in postmaster.pid that now is somebody else's, as happens after a restart of the
// machine or of a container, would keep the server from starting: the file is removed.
func (c *cluster) settleLeftover(ctx context.Context) error {
	path := filepath.Join(c.data(), "postmaster.pid")
	pid, err := readPID(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a server of an earlier run: %w", err)
	}
	process, err := c.runningServer(pid)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // the server judges the file itself
	}
	if err != nil {
		return fmt.Errorf("look for a server of an earlier run: %w", err)
	}
	if process != nil {
		c.log.Info().Int("pid", pid).Msg("a PostgreSQL of an earlier run that was killed is still there: stopping it first")
		if err := c.outlive(ctx, process, pid); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what an earlier run left: %w", err)
	}
	return nil
}

// readPID reads the first line of postmaster.pid. A file without a number was being written when the machine stopped.
func readPID(path string) (int, error) {
	b, err := os.ReadFile(path) //nolint:gosec // inside the data folder
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0, nil
	}
	return pid, nil
}

// runningServer returns the process of that number if it is a server on our data, else nil.
func (c *cluster) runningServer(pid int) (*os.Process, error) {
	if pid <= 0 {
		return nil, nil
	}
	command, err := commandLine(pid)
	if err != nil || !strings.Contains(command, c.data()) {
		return nil, err
	}
	return os.FindProcess(pid)
}

// outlive stops a server that is not our child, first fast, then at once.
func (c *cluster) outlive(ctx context.Context, process *os.Process, pid int) error {
	defer func() { _ = process.Release() }()
	for _, stop := range []func() error{
		func() error { return askToStop(process, c) },
		func() error { return forceToStop(process) },
	} {
		if err := stop(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop the server of an earlier run (process %d): %w", pid, err)
		}
		if c.waitGone(ctx, pid) {
			return nil
		}
	}
	return fmt.Errorf("stop the server of an earlier run (process %d): it does not end", pid)
}

func (c *cluster) waitGone(ctx context.Context, pid int) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*stopLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if p, err := c.runningServer(pid); err == nil && p == nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
