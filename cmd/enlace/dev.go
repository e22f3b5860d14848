package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"example.com/enlace/api"
	"example.com/enlace/migrations"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store/postgres"
)

// What everybody may know, since it opens only what listens on this machine.
const (
	devKey     = "enlace_dev_key"
	demoTenant = "00000000-0000-4000-8000-000000000001"
)

func (a *app) devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:     "dev",
		GroupID: groupRun,
		Short:   "Run everything on this machine: PostgreSQL, sandbox, API, workers, dashboard",
		Long: `Runs everything on this machine: PostgreSQL (that of DATABASE_URL, else one of its own, whose data is kept between
runs), the providers' stand-ins, API, workers, dashboard and River UI, for a demo tenant. It listens on this machine
alone.

A provider with credentials in the environment, such as PIPEDRIVE_CLIENT_ID and PIPEDRIVE_CLIENT_SECRET, is the real one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.dev(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on, of this machine; port 0 is any free one")
	cmd.Flags().StringVar(&o.data, "data", "", "folder that keeps the data between runs (default: a folder of this user)")
	cmd.Flags().IntVar(&o.contacts, "contacts", defaultContacts, "contacts in each company of each CRM of the sandbox")
	return cmd
}

type devOptions struct {
	addr     string
	data     string
	contacts int
}

// devServer is `enlace dev` while it runs.
type devServer struct {
	*process

	dir      string
	postgres *postgres.Server // nil: DATABASE_URL is somebody else's
	fakes    *sandbox.Sandbox
	base     string
	real     []string // titles of providers that are the real ones
}

func (a *app) dev(ctx context.Context, o devOptions) error {
	if o.contacts < 0 {
		return usagef("--contacts must be 0 or more")
	}
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return usagef("--addr must look like 127.0.0.1:8080")
	}
	if host == "" {
		o.addr = "127.0.0.1" + o.addr
	} else if !isLoopback(host) {
		return usagef("--addr must be an address of this machine alone, such as 127.0.0.1:8080: `enlace dev` has a key that everybody knows; use `enlace serve` to be reached from elsewhere")
	}
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	log := newLogger(a.stderr, cfg.LogLevel)
	listener, err := listen(ctx, o.addr, "--addr")
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	d := &devServer{base: address(listener.Addr()), dir: o.data}
	defer d.end(ctx)
	if err := d.start(ctx, cfg, log, listener, o.contacts); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop while it started
		}
		return err
	}
	if err := a.greet(d); err != nil {
		return err
	}
	err = d.wait(ctx)
	log.Info().Msg("stopping")
	return err
}

// start returns when everything answers.
func (d *devServer) start(ctx context.Context, cfg *config, log zerolog.Logger, listener net.Listener, contacts int) error {
	if err := d.prepare(ctx, cfg, log); err != nil {
		return err
	}
	d.fakes = sandbox.New(sandbox.Config{BaseURL: d.base, Contacts: contacts}) //nolint:contextcheck // it ends by Close
	if err := d.fakes.HubSpot().Configure(func(s *sandbox.HubSpotSettings) { s.WebhookTarget = d.base + "/webhooks/hubspot" }); err != nil {
		return fmt.Errorf("set up the sandbox: %w", err)
	}
	d.real = useSandbox(cfg, d.base)
	cfg.PublicURL, cfg.DashboardURL, cfg.ListenAddr = webURL(d.base), "", listenAddr(listener.Addr().String())
	if err := migrateDev(ctx, cfg, log); err != nil {
		return err
	}
	p, err := open(ctx, cfg, log, "dev")
	if err != nil {
		return err
	}
	d.process = p
	if err := d.refuseOthers(ctx); err != nil {
		return err
	}
	if err := p.store.MoveSandbox(ctx, d.base); err != nil { // --addr may be another one than last time
		return err
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	if err := p.answer(ctx, func(o *api.Options) {
		o.Dev, o.DemoTenant, o.DevKey, o.Sandbox = true, demoTenant, devKey, d.fakes.Handler()
	}); err != nil {
		return err
	}
	p.serve(listener)
	return d.waitReady(ctx)
}

// prepare finds the data folder, a Postgres and a key.
func (d *devServer) prepare(ctx context.Context, cfg *config, log zerolog.Logger) error {
	if d.dir == "" {
		dir, err := postgres.DefaultDataDir()
		if err != nil {
			return err
		}
		d.dir = dir
	}
	if cfg.DatabaseURL.secret == "" {
		server, err := postgres.Start(ctx, postgres.Options{DataDir: d.dir, Log: log})
		if err != nil {
			return fmt.Errorf("start PostgreSQL: %w", err)
		}
		d.postgres = server
		cfg.DatabaseURL.secret, cfg.DatabasePollOnly = secret(server.URL()), false
		cfg.DatabaseDirectURL.secret = ""
	}
	if cfg.EncryptionKey.secret == "" {
		key, err := devEncryptionKey(d.dir)
		if err != nil {
			return err
		}
		cfg.EncryptionKey.secret = key
	}
	return nil
}

// devEncryptionKey is the key that is kept beside the data which it opens.
func devEncryptionKey(dir string) (secret, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the account of Postgres passes through
		return "", fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(dir, "encryption.key")
	b, err := os.ReadFile(path) //nolint:gosec // a folder that the person named
	if errors.Is(err, fs.ErrNotExist) {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh) // never fails
		b = []byte(hex.EncodeToString(fresh) + "\n")
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("keep the encryption key: %w", err)
	}
	var key hexKey
	if err := key.Decode(strings.TrimSpace(string(b))); err != nil {
		return "", usagef("%s must hold 64 hexadecimal digits: put the key back, or remove the file and reconnect the accounts", path)
	}
	return key.secret, nil
}

func migrateDev(ctx context.Context, cfg *config, log zerolog.Logger) error {
	url := cfg.DatabaseURL
	if cfg.DatabaseDirectURL.secret != "" {
		url = cfg.DatabaseDirectURL
	}
	pool, err := openPool(ctx, url, cfg, log, "migrate")
	if err != nil {
		return err
	}
	defer pool.Close()
	res, err := migrations.Up(ctx, pool)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if res.Applied > 0 {
		log.Info().Int("applied", res.Applied).Int64("version", res.Version).Msg("migrated")
	}
	return nil
}

// refuseOthers keeps `enlace dev` away from a database that is in use: its worker would send other tenants' tokens to the
// sandbox.
func (d *devServer) refuseOthers(ctx context.Context) error {
	if d.postgres != nil {
		return nil // only dev has written to it, perhaps for a tenant that its person named
	}
	foreign, err := d.store.ServesOthers(ctx, uuid.MustParse(demoTenant))
	if err == nil && foreign {
		return usagef("the database of DATABASE_URL serves tenants of its own: unset DATABASE_URL, or name an empty database for `enlace dev`")
	}
	return err
}

// waitReady returns when /readyz says so.
func (d *devServer) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ready(ctx, d.base) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s/readyz: %w", d.base, ctx.Err())
		case err := <-d.failed:
			return err
		case <-tick.C:
		}
	}
}

func ready(ctx context.Context, base string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// greet says where everything is, once it is there.
func (a *app) greet(d *devServer) error {
	lines := []string{
		"enlace is ready at " + d.base,
		"  API key:  " + devKey + "  (tenant " + demoTenant + ", and admin)",
		"  River UI: " + d.base + "/riverui/",
		"  sandbox:  " + d.base + "/sandbox/control/{" + strings.Join(adapterNames(), ",") + "}",
		"  data:     " + d.dir,
	}
	for _, title := range d.real {
		lines = append(lines, "  "+title+" is the real one: its credentials are in the environment")
	}
	if d.postgres == nil {
		lines[4] = "  data:     in the database of DATABASE_URL; the encryption key of its tokens is in " + d.dir
	}
	_, err := fmt.Fprintln(a.stdout, strings.Join(lines, "\n"))
	return err
}

// wait is that of the process; without its Postgres it can't go on either.
func (d *devServer) wait(ctx context.Context) error {
	if d.postgres != nil {
		go func() {
			<-d.postgres.Done()
			select {
			case d.failed <- errors.New("PostgreSQL has ended by itself: its log is in " + filepath.Join(d.dir, "postgres", "postgres.log")):
			default:
			}
		}()
	}
	return d.process.wait(ctx)
}

// end stops everything in the order in which it is used, Postgres last, within [stopLimit] in all.
func (d *devServer) end(ctx context.Context) {
	const (
		processLimit = stopLimit / 10 * 6
		gentleLimit  = stopLimit / 10 * 8 // until when Postgres may write its data
		endLimit     = stopLimit / 10 * 9
	)
	began := time.Now()
	limit, cancel := context.WithDeadline(context.WithoutCancel(ctx), began.Add(gentleLimit))
	defer cancel()
	if d.fakes != nil {
		d.fakes.Close()
	}
	if d.process != nil {
		d.close(ctx, processLimit)
	}
	if d.postgres != nil { // one that still hasn't ended is ended by the kernel after us, or by the next start
		closeWithin(time.Until(began.Add(endLimit)), func() {
			_ = d.postgres.Stop(limit) // an error says that it had ended by itself, which has been said
		})
	}
}
