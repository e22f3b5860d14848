package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"example.com/enlace/store"
)

func (a *app) failuresCommand() *cobra.Command {
	var reason string
	var retry bool
	var limit int
	cmd := &cobra.Command{
		Use:     "failures INTEGRATION",
		GroupID: groupUse,
		Short:   "List the records that can't be taken, and try them again",
		Long: `Lists the records of an integration that can't be taken, with the reason of each: how many for each reason, then the latest.
With --retry, they are read again at once, each by its id. What can be taken then is gone from the list.

` + clientHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > maxRows {
				return usagef("--limit must be from 1 to %d", maxRows)
			}
			c, err := newClient()
			if err != nil {
				return err
			}
			if retry {
				return a.retryFailures(cmd.Context(), c, args[0], reason)
			}
			return a.failures(cmd.Context(), c, args[0], reason, limit)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "only those of this reason: no_id, too_large, bad_text, bad_time, bad_shape or refused")
	cmd.Flags().BoolVar(&retry, "retry", false, "try them again now")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many to list")
	return cmd
}

// failed is a record that can't be taken as the API shows it.
type failed struct {
	store.Failure

	Sentence string `json:"sentence"`
}

// failedList is a page of the ledger.
type failedList struct {
	list[failed]

	Reasons []struct {
		store.FailureCount

		Sentence string `json:"sentence"`
	} `json:"reasons"`
}

func (a *app) failures(ctx context.Context, c *client, name, reason string, limit int) error {
	in, err := c.integration(ctx, name)
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(min(limit, 100))}}
	if reason != "" {
		query.Set("reason", reason)
	}
	path := "/v1/integrations/" + in.ID.String() + "/failures"
	var first failedList
	if err := c.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &first); err != nil {
		return err
	}
	if len(first.Items) == 0 {
		_, err := fmt.Fprintln(a.stdout, "every record has been taken")
		return err
	}
	for _, r := range first.Reasons {
		if _, err := fmt.Fprintf(a.stdout, "%s %s: %s\n", number(r.Count), printable(r.Reason), printable(r.Sentence)); err != nil {
			return err
		}
	}
	items, err := all[failed](ctx, c, path, query, limit)
	if err != nil {
		return err
	}
	rows := make([][]string, 0, len(items))
	for _, f := range items {
		rows = append(rows, []string{f.ExternalID, f.Reason, f.Sentence, strconv.Itoa(int(f.Times)), shown(&f.FirstSeenAt), shown(&f.LastSeenAt)})
	}
	return writeTable(a.stdout, []string{"RECORD", "REASON", "WHY", "TIMES", "FIRST", "LAST"}, rows)
}

func (a *app) retryFailures(ctx context.Context, c *client, name, reason string) error {
	in, err := c.integration(ctx, name)
	if err != nil {
		return err
	}
	body := map[string]any{}
	if reason != "" {
		body["reason"] = reason
	}
	var got struct {
		Retrying  int64 `json:"retrying"`
		WithoutID int64 `json:"without_id"`
	}
	if err := c.call(ctx, http.MethodPost, "/v1/integrations/"+in.ID.String()+"/failures/retry", body, &got); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.stdout, "%s records are read again now; `enlace failures` shows what is left\n", number(got.Retrying)); err != nil {
		return err
	}
	if got.WithoutID > 0 {
		_, err = fmt.Fprintf(a.stdout, "%s came without an id: the next full sync meets them again\n", number(got.WithoutID))
	}
	return err
}
