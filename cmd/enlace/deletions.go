package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"example.com/enlace/store"
)

func (a *app) deletionsCommand() *cobra.Command {
	var confirm, discard bool
	var sample int
	cmd := &cobra.Command{
		Use:     "deletions RUN|INTEGRATION",
		GroupID: groupUse,
		Short:   "Look at deletions that wait for a person, and decide",
		Long: `Shows the deletions that a full sync has left to a person, since more contacts were missing than one believes: how many,
and a sample. Of an integration, those of its latest such sync. Nothing is deleted until somebody says so:

--confirm marks the contacts as deleted here; if they come back there, they come back here.
--discard keeps them; if they are still missing after the next full sync, it asks again.

` + clientHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case confirm && discard:
				return usagef("give either --confirm or --discard")
			case sample < 1 || sample > 100:
				return usagef("--sample must be from 1 to 100")
			}
			c, err := newClient()
			if err != nil {
				return err
			}
			run, err := c.heldRun(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case confirm:
				return a.decideDeletions(cmd.Context(), c, run, "confirm")
			case discard:
				return a.decideDeletions(cmd.Context(), c, run, "discard")
			}
			return a.deletions(cmd.Context(), c, run, sample)
		},
	}
	cmd.Flags().BoolVar(&confirm, "confirm", false, "delete them here")
	cmd.Flags().BoolVar(&discard, "discard", false, "keep them")
	cmd.Flags().IntVar(&sample, "sample", 10, "how many to show")
	return cmd
}

// heldRun finds the run that a person means: by its id, or the latest of an integration whose deletions wait.
func (c *client) heldRun(ctx context.Context, name string) (uuid.UUID, error) {
	if id, err := uuid.Parse(name); err == nil {
		var run syncRun
		err := c.call(ctx, http.MethodGet, "/v1/syncs/"+id.String(), nil, &run)
		if r, ok := errors.AsType[*refusal](err); !ok || r.Status != http.StatusNotFound {
			return id, err
		}
	}
	in, err := c.integration(ctx, name)
	if err != nil {
		return uuid.Nil, err
	}
	runs, err := all[syncRun](ctx, c, "/v1/syncs", url.Values{"integration_id": {in.ID.String()}, "status": {store.Completed}, "limit": {"100"}}, maxRows)
	if err != nil {
		return uuid.Nil, err
	}
	for _, run := range runs {
		if text(run.Outcome) == store.DeletionsHeld {
			return run.ID, nil
		}
	}
	return uuid.Nil, fmt.Errorf("no deletion of %s waits for a decision", in.name())
}

// held are a run's held deletions as the API shows them.
type held struct {
	list[store.HeldDeletion]

	Summary struct {
		Held           int64   `json:"held"`
		Sentence       string  `json:"sentence"`
		SampleSentence string  `json:"sample_sentence"`
		Decision       *string `json:"decision"`
		DecidedBy      *string `json:"decided_by"`
	} `json:"summary"`
}

func (a *app) deletions(ctx context.Context, c *client, run uuid.UUID, sample int) error {
	var got held
	if err := c.call(ctx, http.MethodGet, "/v1/syncs/"+run.String()+"/deletions?sample="+strconv.Itoa(sample), nil, &got); err != nil {
		return err
	}
	if got.Summary.Decision != nil {
		_, err := fmt.Fprintf(a.stdout, "%s by %s\n", printable(*got.Summary.Decision), printable(text(got.Summary.DecidedBy)))
		return err
	}
	if got.Summary.Held == 0 {
		_, err := fmt.Fprintln(a.stdout, "no deletion of this sync waits for a decision")
		return err
	}
	if _, err := fmt.Fprintf(a.stdout, "%s %s\nsync %s; a sample of what is missing:\n", printable(got.Summary.Sentence), printable(got.Summary.SampleSentence), run); err != nil {
		return err
	}
	rows := make([][]string, 0, len(got.Items))
	for _, d := range got.Items {
		was := "not read by itself"
		if d.ReadAt != nil {
			was = "absent"
		}
		rows = append(rows, []string{d.ExternalID, d.Name, text(d.Email), text(d.Phone), was})
	}
	if err := writeTable(a.stdout, []string{"RECORD", "NAME", "E-MAIL", "PHONE", "THERE"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "decide with `enlace deletions %s --confirm` or `--discard`\n", run)
	return err
}

func (a *app) decideDeletions(ctx context.Context, c *client, run uuid.UUID, decision string) error {
	var got struct {
		Deleted int64 `json:"deleted"`
		Kept    int64 `json:"kept"`
	}
	if err := c.patient().call(ctx, http.MethodPost, "/v1/syncs/"+run.String()+"/deletions/"+decision, map[string]any{}, &got); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s deleted, %s kept\n", number(got.Deleted), number(got.Kept))
	return err
}
