package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) integrationsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "integrations",
		GroupID: groupUse,
		Short:   "List the connected accounts",
		Long:    "Lists the connected accounts of the API key's tenant.\n\n" + clientHelp,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient()
			if err != nil {
				return err
			}
			list, err := c.integrations(cmd.Context())
			if err != nil {
				return err
			}
			if len(list) == 0 {
				_, err = fmt.Fprintf(a.stdout, "nothing is connected yet: open %s and connect an account\n", c.base)
				return err
			}
			rows := make([][]string, 0, len(list))
			for _, in := range list {
				rows = append(rows, []string{
					in.ID.String(), in.ProviderTitle, text(in.ExternalAccountName), in.Title, number(in.Contacts), in.Schedule, shown(in.Watermark), shown(in.NextSyncAt),
				})
			}
			return writeTable(a.stdout, []string{"ID", "PROVIDER", "ACCOUNT", "STATE", "CONTACTS", "SCHEDULE", "FRESH AS OF", "NEXT SYNC"}, rows)
		},
	}
}

// clientHelp is what the commands that speak to the API have in common.
const clientHelp = `It asks the enlace at ENLACE_URL (default http://127.0.0.1:8080) with ENLACE_API_KEY (for "enlace dev": not needed).`
