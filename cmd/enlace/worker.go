package main

import (
	"github.com/spf13/cobra"
)

func (a *app) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "worker",
		GroupID: groupRun,
		Short:   "Run the workers alone, as many processes as you like",
		Long: `Runs the workers alone: syncs, schedules, token renewal. Any number of processes may run, on one database; when one is
killed, another goes on with its work. LISTEN_ADDR serves /healthz and /readyz.

Needs DATABASE_URL, ENCRYPTION_KEY and the providers' credentials.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			if err := cfg.require("DATABASE_URL", "ENCRYPTION_KEY"); err != nil {
				return err
			}
			return a.runProcess(cmd.Context(), cfg, role{name: "worker", works: true})
		},
	}
}
