package main

import (
	"github.com/spf13/cobra"
)

func (a *app) apiCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "api",
		GroupID: groupRun,
		Short:   "Run the API alone, as many processes as you like",
		Long: `Runs the API and the dashboard without workers: it only enqueues. Any number of processes may run.

Needs DATABASE_URL, ENCRYPTION_KEY, PUBLIC_URL and the providers' credentials.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			if err := cfg.require(serverNeeds()...); err != nil {
				return err
			}
			return a.runProcess(cmd.Context(), cfg, role{name: "api", serves: true})
		},
	}
}
