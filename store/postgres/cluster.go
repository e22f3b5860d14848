package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
)

// cluster is one folder with a server's data, log and password. The folder belongs to the account that the server runs
// as, and to nobody else's eyes.
type cluster struct {
	home      string
	bin       string
	account   *account // nil: the server runs as this process does
	settings  map[string]string
	ephemeral bool
	password  string
	log       zerolog.Logger
}

// durable are the settings of a server whose data matters, sized for a laptop that also runs everything else.
var durable = map[string]string{
	"shared_buffers":     "256MB",
	"max_wal_size":       "4GB", // a first sync of a million contacts without a checkpoint storm
	"checkpoint_timeout": "15min",
	"random_page_cost":   "1.1", // no laptop turns a disk any more
	"jit":                "off", // every statement here is short
	"max_connections":    "200",
}

// disposable are those of a server that nobody needs after a crash. Every package's tests open pools at once.
var disposable = map[string]string{
	"fsync":              "off",
	"autovacuum":         "off",
	"synchronous_commit": "off",
	"full_page_writes":   "off",
	"max_wal_size":       "4GB",
	"checkpoint_timeout": "1h",
	"jit":                "off",
	"max_connections":    "500",
}

func newCluster(o Options) (*cluster, error) {
	c := &cluster{ephemeral: o.Ephemeral, log: o.Log, settings: maps.Clone(durable)}
	if o.Ephemeral {
		c.settings = maps.Clone(disposable)
	}
	maps.Copy(c.settings, o.Settings)

	var err error
	if c.home, err = makeHome(o); err != nil {
		return nil, err
	}
	if c.account, err = chooseAccount(c.home); err != nil {
		return nil, err
	}
	if c.account != nil {
		if err := c.account.own(c.home); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func makeHome(o Options) (string, error) {
	if o.Ephemeral {
		home, err := os.MkdirTemp("", "enlace-postgres-")
		if err != nil {
			return "", fmt.Errorf("make a folder for postgres: %w", err)
		}
		return home, nil
	}
	dir := o.DataDir
	if dir == "" {
		var err error
		if dir, err = DefaultDataDir(); err != nil {
			return "", err
		}
	}
	home, err := filepath.Abs(filepath.Join(dir, "postgres"))
	if err != nil {
		return "", fmt.Errorf("find the folder for postgres: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil { //nolint:gosec // the server's account passes through; home itself is closed
		return "", fmt.Errorf("make a folder for postgres: %w", err)
	}
	if err := os.Mkdir(home, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make a folder for postgres: %w", err)
	}
	return home, nil
}

func (c *cluster) data() string    { return filepath.Join(c.home, "data") }
func (c *cluster) logFile() string { return filepath.Join(c.home, "postgres.log") }

// claim makes this process the only one that uses the folder.
func (c *cluster) claim() (*os.File, error) {
	path := filepath.Join(c.home, "enlace.lock")
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // a folder that the person named
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", c.home, err)
	}
	if err := lockFile(lock, false); err != nil {
		holder, _ := os.ReadFile(path) //nolint:gosec // as above
		_ = lock.Close()
		return nil, fmt.Errorf("another enlace (process %s) already runs on %s: stop it, or choose another data folder: %w",
			bytes.TrimSpace(holder), c.home, err)
	}
	_ = lock.Truncate(0)
	_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0) // for the message above alone
	return lock, nil
}

// release gives up what claim took, and the folder of an ephemeral server with it.
func (c *cluster) release(lock *os.File) error {
	if err := lock.Close(); err != nil {
		return fmt.Errorf("release %s: %w", c.home, err)
	}
	if c.ephemeral {
		return os.RemoveAll(c.home)
	}
	return nil
}

// prepare finds the programs and makes the data folder on the first run. It is made under another name and renamed, so
// that one which was interrupted is never taken for a good one.
func (c *cluster) prepare(ctx context.Context) error {
	major, err := c.dataVersion()
	if err != nil {
		return err
	}
	if c.bin, err = findPrograms(ctx, major, c.log); err != nil {
		return err
	}
	if c.password, err = c.readPassword(); err != nil {
		return err
	}
	if major != 0 {
		return nil
	}
	unfinished := c.data() + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished data folder: %w", err)
	}
	cmd := c.command("initdb", "--pgdata", unfinished, "--username", superuser, "--pwfile", c.passwordFile(),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := run(cmd); err != nil {
		return fmt.Errorf("make a data folder with %s: %w: %s", cmd.Path, err, bytes.TrimSpace(out.Bytes()))
	}
	if err := os.Rename(unfinished, c.data()); err != nil {
		return fmt.Errorf("make a data folder: %w", err)
	}
	return nil
}

// dataVersion is the major version of PostgreSQL that made the data folder, 0 if there is none yet.
func (c *cluster) dataVersion() (int, error) {
	b, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the data folder's version: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read the data folder's version: %w", err)
	}
	return major, nil
}

func (c *cluster) passwordFile() string { return filepath.Join(c.home, "password") }

// readPassword returns the superuser's password, which is made on the first run: without one, every account of the
// machine would be a superuser of this server.
func (c *cluster) readPassword() (string, error) {
	b, err := os.ReadFile(c.passwordFile())
	if err == nil {
		return string(b), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the password of postgres: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(c.passwordFile(), []byte(password), 0o600); err != nil {
		return "", fmt.Errorf("save the password of postgres: %w", err)
	}
	if c.account != nil {
		if err := c.account.own(c.passwordFile()); err != nil {
			return "", err
		}
	}
	return password, nil
}

func (c *cluster) serverArgs(port int) []string {
	args := []string{
		"-D", c.data(), "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", // the system's default belongs to another account
		"-c", "timezone=UTC",
	}
	for _, name := range slices.Sorted(maps.Keys(c.settings)) {
		args = append(args, "-c", name+"="+c.settings[name])
	}
	return args
}

// command runs one of PostgreSQL's programs as the server's account, with none of our environment: it holds secrets.
// It takes no context: a server outlives the call that starts it.
func (c *cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...) //nolint:gosec,noctx // see above
	cmd.Dir = c.home                                            // ours may be closed to the account
	cmd.Env = []string{"HOME=" + c.home, "LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "SystemRoot", "TEMP", "TMP"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.SysProcAttr = attributes(c.account)
	return cmd
}

// run runs a program to its end.
func run(cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	if _, err := runTied(cmd, func(err error) { ended <- err }); err != nil {
		return err
	}
	return <-ended
}

// openLog starts the server's log anew: it tells of this run.
func (c *cluster) openLog() (*os.File, error) {
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of postgres: %w", err)
	}
	return log, nil
}

// lastWords is the end of the server's log, which says why it could not go on.
func (c *cluster) lastWords() error {
	b, err := os.ReadFile(c.logFile())
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return errors.New(strings.Join(lines[max(0, len(lines)-6):], "\n"))
}

// portWasTaken reports whether the server ended because another had its port.
func (c *cluster) portWasTaken() bool {
	b, err := os.ReadFile(c.logFile())
	return err == nil && bytes.Contains(b, []byte("could not bind IPv4 address"))
}
