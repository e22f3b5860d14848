package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// role is what one process does of the whole.
type role struct {
	name          string
	serves, works bool
}

// serverNeeds are the variables without which the API can't begin.
func serverNeeds() []string { return []string{"DATABASE_URL", "ENCRYPTION_KEY", "PUBLIC_URL"} }

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "serve",
		GroupID: groupRun,
		Short:   "Run the API and the workers in one process",
		Long: `Runs the API, the dashboard and the workers in one process. "enlace api" and "enlace worker" run them apart.

Needs DATABASE_URL, ENCRYPTION_KEY, PUBLIC_URL and the providers' credentials; "enlace migrate" comes first, and
"enlace doctor" says what is missing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			if err := cfg.require(serverNeeds()...); err != nil {
				return err
			}
			return a.runProcess(cmd.Context(), cfg, role{name: "serve", serves: true, works: true})
		},
	}
}

// runProcess runs until it is asked to stop, which may be while it still starts.
func (a *app) runProcess(ctx context.Context, cfg *config, r role) error {
	err := a.runRole(ctx, cfg, r)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (a *app) runRole(ctx context.Context, cfg *config, r role) error {
	log := newLogger(a.stderr, cfg.LogLevel)
	listener, err := listen(ctx, string(cfg.ListenAddr), "LISTEN_ADDR")
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	p, err := open(ctx, cfg, log, r.name)
	if err != nil {
		return err
	}
	defer p.close(ctx, stopLimit)
	if len(p.list) == 0 {
		log.Warn().Msg("no provider has credentials: nothing can be connected; see `enlace doctor`")
	}
	if names := unused(cfg); len(names) > 0 {
		log.Warn().Msgf("this version has no adapter for the provider of %s: it is not used", strings.Join(names, ", "))
	}
	if r.works {
		if err := p.work(ctx); err != nil {
			return err
		}
	}
	if r.serves {
		if err := p.answer(ctx, nil); err != nil {
			return err
		}
	}
	p.serve(listener)
	log.Info().Str("role", r.name).Str("listen_addr", listener.Addr().String()).Str("providers", p.names()).Msg("started")
	err = p.wait(ctx)
	log.Info().Str("role", r.name).Msg("stopping")
	return err
}

// names are the configured providers', for the log.
func (p *process) names() string {
	names := make([]string, 0, len(p.list))
	for _, provider := range p.list {
		names = append(names, provider.Name)
	}
	return strings.Join(names, ",")
}

// address is where a listener is reached, as a URL.
func address(addr fmt.Stringer) string { return "http://" + reachable(addr.String()) }
