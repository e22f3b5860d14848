package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"example.com/enlace/store"
)

func (a *app) incidentsCommand() *cobra.Command {
	var integration string
	var closed bool
	var limit int
	cmd := &cobra.Command{
		Use:     "incidents",
		GroupID: groupUse,
		Short:   "List what is wrong, since when, and what to do",
		Long: `Lists the open causes of trouble: what happened, since when, and what to do. One closes by itself when its cause is gone.

` + clientHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxRows {
				return usagef("--limit must be from 1 to %d", maxRows)
			}
			c, err := newClient()
			if err != nil {
				return err
			}
			query := url.Values{"limit": {strconv.Itoa(min(limit, 100))}, "open": {strconv.FormatBool(!closed)}}
			if integration != "" {
				in, err := c.integration(cmd.Context(), integration)
				if err != nil {
					return err
				}
				query.Set("integration_id", in.ID.String())
			}
			return a.incidents(cmd.Context(), c, query, limit)
		},
	}
	cmd.Flags().StringVar(&integration, "integration", "", "only those of this integration: its id, provider or account name")
	cmd.Flags().BoolVar(&closed, "closed", false, "those that are over, instead")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many")
	return cmd
}

// incident is a cause of trouble as the API shows it.
type incident struct {
	store.Incident

	ProviderTitle string  `json:"provider_title"`
	AccountName   *string `json:"external_account_name"`
	Title         string  `json:"title"`
	Sentence      string  `json:"sentence"`
	Since         string  `json:"since"`
	WhatToDo      string  `json:"what_to_do"`
	Link          string  `json:"link"`
}

func (a *app) incidents(ctx context.Context, c *client, query url.Values, limit int) error {
	list, err := all[incident](ctx, c, "/v1/incidents", query, limit)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.stdout, "nothing is wrong")
		return err
	}
	for _, n := range list {
		who := account{Integration: store.Integration{ExternalAccountName: n.AccountName}, ProviderTitle: n.ProviderTitle}
		if _, err := fmt.Fprintf(a.stdout, "%s: %s (%s)\n  %s\n  %s\n  %s\n  %s\n", printable(who.name()), printable(n.Title), printable(n.Code),
			printable(n.Sentence), printable(n.Since), printable(n.WhatToDo), printable(n.Link)); err != nil {
			return err
		}
	}
	return nil
}
