package main

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) runsCommand() *cobra.Command {
	var integration string
	var limit int
	cmd := &cobra.Command{
		Use:     "runs",
		GroupID: groupUse,
		Short:   "List the latest sync runs",
		Long:    "Lists the latest sync runs, the newest first.\n\n" + clientHelp,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxRows {
				return usagef("--limit must be from 1 to %d", maxRows)
			}
			c, err := newClient()
			if err != nil {
				return err
			}
			query := url.Values{"limit": {strconv.Itoa(min(limit, 100))}}
			if integration != "" {
				in, err := c.integration(cmd.Context(), integration)
				if err != nil {
					return err
				}
				query.Set("integration_id", in.ID.String())
			}
			runs, err := all[syncRun](cmd.Context(), c, "/v1/syncs", query, limit)
			if err != nil {
				return err
			}
			if len(runs) == 0 {
				_, err = fmt.Fprintln(a.stdout, "nothing has run yet: `enlace sync INTEGRATION` starts one")
				return err
			}
			return a.writeRuns(runs)
		},
	}
	cmd.Flags().StringVar(&integration, "integration", "", "only those of this integration: its id, provider or account name")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many")
	return cmd
}

func (a *app) writeRuns(runs []syncRun) error {
	rows := make([][]string, 0, len(runs))
	for _, r := range runs {
		rows = append(rows, []string{
			r.ID.String(), r.SyncType, r.Title,
			number(r.RecordsSynced), number(r.RecordsCreated), number(r.RecordsUpdated), number(r.RecordsDeleted), number(r.RecordsFailed), number(int64(r.APICalls)), number(r.QuotaUsed),
			shown(r.StartedAt), took(r),
		})
	}
	return writeTable(a.stdout, []string{"ID", "TYPE", "STATE", "SYNCED", "CREATED", "UPDATED", "DELETED", "SKIPPED", "CALLS", "QUOTA", "STARTED", "TOOK"}, rows)
}

// took is how long a run has taken, so far or in all.
func took(r syncRun) string {
	if r.StartedAt == nil {
		return ""
	}
	end := time.Now()
	if r.CompletedAt != nil {
		end = *r.CompletedAt
	}
	return max(end.Sub(*r.StartedAt), 0).Round(100 * time.Millisecond).String()
}

// number groups digits by thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
