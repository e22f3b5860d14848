package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"example.com/enlace/providers"
	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "doctor",
		GroupID: groupOperate,
		Short:   "Check the setup, and say what to do",
		Long: `Checks configuration, database, migrations, keys, providers and addresses, as the environment has them, and says what to
do about each problem. It changes nothing. Exit code 1 if there is a problem.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{out: a.stdout}
			d.examine(cmd.Context())
			if d.problems > 0 {
				_, err := fmt.Fprintf(a.stdout, "\n%d to look at\n", d.problems)
				return errors.Join(errSaid, err)
			}
			_, err := fmt.Fprintln(a.stdout, "\nall is well")
			return err
		},
	}
}

const checkLimit = 10 * time.Second // of each check

// doctor checks a setup and writes what it finds, a line each.
type doctor struct {
	out      io.Writer
	problems int
}

func (d *doctor) ok(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, "ok       %s\n", fmt.Sprintf(format, args...))
}

// note is worth knowing and no problem.
func (d *doctor) note(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, "note     %s\n", fmt.Sprintf(format, args...))
}

func (d *doctor) problem(what, todo string) {
	d.problems++
	_, _ = fmt.Fprintf(d.out, "problem  %s\n         %s\n", what, todo)
}

func (d *doctor) examine(ctx context.Context) {
	cfg, err := loadConfig()
	if err != nil {
		d.problem("configuration: "+oneLine(err), "set it, then run `enlace doctor` again")
		return
	}
	d.checkVariables(cfg)
	d.checkAddresses(cfg)
	list := providerList(cfg)
	if len(list) == 0 {
		d.problem("no provider has credentials, so nothing can be connected", "set the client id and secret of one, such as PIPEDRIVE_CLIENT_ID and PIPEDRIVE_CLIENT_SECRET")
	}
	if names := unused(cfg); len(names) > 0 {
		d.note("%s: this version has no adapter for that provider", strings.Join(names, ", "))
	}
	for _, p := range list {
		d.checkProvider(ctx, p)
	}
	d.checkDatabase(ctx, cfg, list)
}

func (d *doctor) checkVariables(cfg *config) {
	missing := false
	for _, name := range serverNeeds() {
		if err := cfg.require(name); err != nil {
			missing = true
			d.problem("configuration: "+oneLine(err), "set it")
		}
	}
	if !missing {
		d.ok("configuration")
	}
	if cfg.AdminKey.secret == "" && cfg.SupabaseJWTSecret.secret == "" && cfg.SupabaseJWKSURL == "" {
		d.note("neither ENLACE_ADMIN_KEY nor SUPABASE_JWT_SECRET nor SUPABASE_JWKS_URL is set: only keys of `enlace keys new` are let in")
	}
	if cfg.ConnectAllowBare {
		d.problem("CONNECT_ALLOW_BARE is true: whoever knows a tenant's id can begin a consent for it",
			"leave it out once no dashboard links to initiate-oauth without a session")
	}
}

func (d *doctor) checkAddresses(cfg *config) {
	if cfg.PublicURL == "" {
		return
	}
	u, err := url.Parse(string(cfg.PublicURL))
	switch {
	case err != nil:
		d.problem("PUBLIC_URL is no address", "set it to what browsers and providers reach, such as https://enlace.example.com")
	case u.Scheme != "https" && !isLoopback(u.Hostname()):
		d.problem("PUBLIC_URL is not https: tokens and sessions would travel in the open, and providers refuse to call back",
			"put a proxy with a certificate before enlace and set PUBLIC_URL to its https address")
	case u.Scheme != "https":
		d.note("PUBLIC_URL is this machine: good for a try, but no provider can call back or notify us of changes: schedules alone find them")
	default:
		d.ok("PUBLIC_URL is https")
	}
}

// checkProvider asks the provider's hosts for any answer at all.
func (d *doctor) checkProvider(ctx context.Context, p *providers.Provider) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	client := &http.Client{
		Transport:     providers.NewTransport(checkLimit),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	u, err := url.Parse(p.OAuth.Config.Endpoint.TokenURL)
	if err != nil {
		d.problem(p.Title+": its token address can't be read", "look at the provider's *_BASE_URL variables")
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Scheme+"://"+u.Host+"/", http.NoBody)
	if err != nil {
		d.problem(p.Title+": its token address can't be read", "look at the provider's *_BASE_URL variables")
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		d.problem(fmt.Sprintf("%s: %s does not answer (%s)", p.Title, u.Host, reason(err)), "let this machine reach it by https, directly or through HTTPS_PROXY")
		return
	}
	_ = resp.Body.Close()
	d.ok("%s: %s answers", p.Title, u.Host)
}

func (d *doctor) checkDatabase(ctx context.Context, cfg *config, list []*providers.Provider) {
	if cfg.DatabaseURL.secret == "" {
		return
	}
	limit, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	pool, err := openPool(limit, cfg.DatabaseURL, cfg, zerolog.Nop(), "doctor")
	if err != nil {
		d.problem("database: "+oneLine(err), "start it, or correct DATABASE_URL")
		return
	}
	defer pool.Close()
	d.ok("database answers")
	d.checkPooler(limit, cfg, pool)
	if err := checkSchema(limit, pool); err != nil {
		d.problem("migrations: "+oneLine(err), "run `enlace migrate`")
		return
	}
	d.ok("migrations are up to date")
	d.checkKeys(ctx, cfg, pool, list)
}

// checkPooler finds out whether the connection behaves as DATABASE_POLL_ONLY says.
func (d *doctor) checkPooler(ctx context.Context, cfg *config, pool *pgxpool.Pool) {
	var idle int // milliseconds
	err := pool.QueryRow(ctx, `SELECT setting::int FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'`).Scan(&idle)
	switch {
	case err != nil:
		d.problem("database: its settings can't be read ("+oneLine(err)+")", "let the role of DATABASE_URL read pg_settings")
	case idle == 0:
		d.problem("database: a process that stands still inside a transaction would keep its locks for ever",
			"behind a pooler: ALTER ROLE <the role of DATABASE_URL> SET idle_in_transaction_session_timeout = '10s'")
	}
	if !cfg.DatabasePollOnly {
		if err := hears(ctx, pool); err != nil {
			d.problem("database: notifications do not arrive, as behind a transaction pooler ("+oneLine(err)+")",
				"set DATABASE_POLL_ONLY=true, or let DATABASE_URL reach Postgres directly (Supabase: Session pooler, port 5432)")
			return
		}
		d.ok("notifications arrive")
		return
	}
	if cfg.DatabaseDirectURL.secret == "" {
		d.note("DATABASE_POLL_ONLY without DATABASE_DIRECT_URL: `enlace migrate` needs a direct connection")
	}
}

// hears sends itself a notification and waits for it.
func hears(ctx context.Context, pool *pgxpool.Pool) error {
	const wait = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("take a connection: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `LISTEN enlace_doctor`); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() {
		_, _ = conn.Exec(context.WithoutCancel(ctx), `UNLISTEN enlace_doctor`)
	}()
	if _, err := pool.Exec(ctx, `NOTIFY enlace_doctor`); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	if _, err := conn.Conn().WaitForNotification(ctx); err != nil {
		return fmt.Errorf("none came within %s", wait)
	}
	return nil
}

// checkKeys opens every stored token, and forgets it.
func (d *doctor) checkKeys(ctx context.Context, cfg *config, pool *pgxpool.Pool, list []*providers.Provider) {
	if cfg.EncryptionKey.secret == "" {
		return
	}
	v, err := newVault(cfg, store.New(pool), list, zerolog.Nop())
	if err != nil {
		d.problem("keys: "+oneLine(err), "correct ENCRYPTION_KEY and ENCRYPTION_KEYS_OLD")
		return
	}
	t, err := openAll(ctx, store.New(pool), v)
	if err != nil {
		d.problem("keys: "+oneLine(err), "run `enlace doctor` again")
		return
	}
	if t.foreign > 0 {
		d.problem(fmt.Sprintf("keys: %d of %d integrations have tokens of an earlier system", t.foreign, t.all), "run `enlace keys import`")
	}
	if t.closed > 0 {
		d.problem(fmt.Sprintf("keys: %d of %d integrations have tokens that no key opens", t.closed, t.all),
			"add the key of before to ENCRYPTION_KEYS_OLD; where it is lost, people reconnect")
	}
	if t.foreign == 0 && t.closed == 0 {
		d.ok("keys open the tokens of %d integrations", t.all)
	}
}

// tokenCount counts integrations by whether their tokens open.
type tokenCount struct{ all, foreign, closed int }

func openAll(ctx context.Context, s *store.Store, v *vault.Vault) (tokenCount, error) {
	const batch = 100
	var t tokenCount
	var after store.SealedTokens
	for {
		rows, err := s.ListSealed(ctx, after.ID, batch)
		if err != nil {
			return t, err
		}
		for _, row := range rows {
			t.add(v, row)
			after = row
		}
		if len(rows) < batch {
			return t, nil
		}
	}
}

func (t *tokenCount) add(v *vault.Vault, row store.SealedTokens) {
	t.all++
	for column, sealed := range map[vault.Column]string{vault.AccessToken: row.AccessToken, vault.RefreshToken: row.RefreshToken} {
		if sealed == "" {
			continue
		}
		_, err := v.Open(row.ID, column, sealed)
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[*vault.OpenError](err); ok && e.Reason == vault.NotOurFormat {
			t.foreign++
		} else {
			t.closed++
		}
		return
	}
}
