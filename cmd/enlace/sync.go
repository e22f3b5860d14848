package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

const (
	lookEvery   = 500 * time.Millisecond // while a run is watched
	silentLimit = time.Minute            // of an enlace that doesn't answer meanwhile
)

func (a *app) syncCommand() *cobra.Command {
	var full, watch bool
	cmd := &cobra.Command{
		Use:     "sync INTEGRATION",
		GroupID: groupUse,
		Short:   "Start a sync, and watch it if you like",
		Long: `Starts a sync of an integration: its id, or its provider or account name if there is one such. Without --full, only what
has changed is read. If such a sync is under way already, it is that one.

With --watch, it shows the progress until the sync has ended: exit code 0 if it finished, 1 if it failed.

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
			return a.startSync(cmd.Context(), c, args[0], syncType, watch)
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "read everything, not only what has changed")
	cmd.Flags().BoolVar(&watch, "watch", false, "show the progress until it has ended")
	return cmd
}

func (a *app) startSync(ctx context.Context, c *client, name, syncType string, watch bool) error {
	in, err := c.integration(ctx, name)
	if err != nil {
		return err
	}
	var run syncRun
	if err := c.call(ctx, http.MethodPost, "/v1/integrations/"+in.ID.String()+"/syncs", map[string]any{"sync_type": syncType}, &run); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.stdout, "%s sync %s of %s\n", run.SyncType, run.ID, printable(in.name())); err != nil {
		return err
	}
	if !watch {
		_, err = fmt.Fprintln(a.stdout, "`enlace runs` shows how it goes")
		return err
	}
	return a.watch(ctx, c, run)
}

// watch shows a run until it has ended. Leaving it leaves the run alone.
func (a *app) watch(ctx context.Context, c *client, run syncRun) error {
	show := a.newProgress()
	defer show.close()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	answered := time.Now()
	for {
		show.update(run)
		if run.ended() {
			show.close()
			return a.result(run)
		}
		select {
		case <-ctx.Done():
			show.close()
			_, err := fmt.Fprintln(a.stdout, "the sync goes on; `enlace runs` shows how")
			return errors.Join(errSaid, err)
		case <-tick.C:
		}
		err := c.call(ctx, http.MethodGet, "/v1/syncs/"+run.ID.String(), nil, &run)
		switch {
		case err == nil:
			answered = time.Now()
		case ctx.Err() == nil && (!temporary(err) || time.Since(answered) > silentLimit):
			return err
		}
	}
}

// temporary reports whether an enlace that restarts may answer so.
func temporary(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.Status >= http.StatusInternalServerError || errors.Is(err, errUnreachable)
}

// result says how a run has ended; a failed one is an error.
func (a *app) result(run syncRun) error {
	if _, err := fmt.Fprintf(a.stdout, "%s: %s in %s\n", printable(run.Title), counts(run), took(run)); err != nil {
		return err
	}
	if run.Status == store.Completed {
		return nil
	}
	todo := whatToDo(words.Code(text(run.ErrorCode)), text(run.ErrorVariant))
	_, err := fmt.Fprintf(a.stderr, "enlace: %s\n  what to do: %s\n", printable(run.Sentence), todo)
	return errors.Join(errSaid, err)
}

// whatToDo says who acts on a failed run, and how.
func whatToDo(code words.Code, variant string) string {
	switch words.FactsOf(code, variant).Who {
	case words.Tenant:
		if buttons := words.Render(words.En, code, variant, words.Args{Provider: "the provider"}).Buttons; len(buttons) > 0 {
			return `choose "` + buttons[0] + `" in the dashboard`
		}
		return "look at the integration in the dashboard"
	case words.Operator:
		return "`enlace doctor` checks the setup"
	case words.We:
		return "nothing; the schedule tries again, or start another sync now"
	case words.Nobody:
	}
	return "start another sync when you like"
}

// counts are what a run has done so far.
func counts(r syncRun) string {
	return fmt.Sprintf("%s synced (%s created, %s updated, %s unchanged, %s deleted, %s skipped)", number(r.RecordsSynced),
		number(r.RecordsCreated), number(r.RecordsUpdated), number(r.RecordsUnchanged), number(r.RecordsDeleted), number(r.RecordsFailed))
}
