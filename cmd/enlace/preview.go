package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"example.com/enlace/inspect"
	"example.com/enlace/store"
)

func (a *app) previewCommand() *cobra.Command {
	var full bool
	cmd := &cobra.Command{
		Use:     "preview INTEGRATION",
		GroupID: groupUse,
		Short:   "Say what a sync would cost and do, without starting it",
		Long: `Reads a sample of an integration at its provider and says what a sync would cost and do: records, calls, their share of
the day's limit, time, and what would become of the sample. Nothing is written, and no sync is started.

` + clientHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient()
			if err != nil {
				return err
			}
			syncType := store.Incremental
			if full {
				syncType = store.Full
			}
			return a.preview(cmd.Context(), c, args[0], syncType)
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "of a sync that reads everything")
	return cmd
}

// previewed is a preview as the API shows it.
type previewed struct {
	inspect.Preview

	Sentence string `json:"sentence"`
}

func (a *app) preview(ctx context.Context, c *client, name, syncType string) error {
	in, err := c.integration(ctx, name)
	if err != nil {
		return err
	}
	var p previewed
	body := map[string]any{"sync_type": syncType, "preview": true}
	if err := c.patient().call(ctx, http.MethodPost, "/v1/integrations/"+in.ID.String()+"/syncs", body, &p); err != nil {
		return err
	}
	kind := p.SyncType
	if p.RunsAs != p.SyncType {
		kind = p.SyncType + ", which reads everything this time"
	}
	lines := [][2]string{
		{"sync", kind + ", of " + in.name()},
		{"records", estimated(p.Records)},
		{"calls", estimated(p.Calls)},
		{"single reads", estimated(p.Reads)},
		{"time", "about " + (time.Duration(p.Seconds) * time.Second).String()},
	}
	if q := p.Quota; q != nil {
		share := number(q.Cost)
		if q.Percent != nil {
			share += fmt.Sprintf(" (%g %% of the day's limit)", *q.Percent)
		}
		lines = append(lines, [2]string{"quota", share})
	}
	s := p.Sample
	lines = append(lines, [2]string{"sample", fmt.Sprintf("%s read: %s to create, %s to update, %s unchanged, %s to delete, %s undecided, %s to skip",
		number(s.Read), number(s.Created), number(s.Updated), number(s.Unchanged), number(s.Deleted), number(s.Undecided), number(s.Failed))})
	return a.writeFacts(lines)
}

// estimated is a number as far as it is known.
func estimated(e inspect.Estimate) string {
	if e.Exact {
		return number(e.Count)
	}
	return "about " + number(e.Count)
}

// writeFacts writes names and values, one a line.
func (a *app) writeFacts(facts [][2]string) error {
	for _, f := range facts {
		if _, err := fmt.Fprintf(a.stdout, "%-14s%s\n", f[0], printable(f[1])); err != nil {
			return err
		}
	}
	return nil
}
