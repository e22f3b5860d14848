package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"example.com/enlace/inspect"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify INTEGRATION",
		GroupID: groupUse,
		Short:   "Compare what a provider has with what is here",
		Long: `Compares the number of contacts, and the content of a sample of them, at the provider and here. Nothing is written.

Exit code 0 if no drift was found, 1 if there is some: "enlace sync INTEGRATION --full" mends it.

` + clientHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient()
			if err != nil {
				return err
			}
			return a.verify(cmd.Context(), c, args[0])
		},
	}
}

// verified is a verification as the API shows it.
type verified struct {
	inspect.Verification

	OK bool `json:"ok"`
}

func (a *app) verify(ctx context.Context, c *client, name string) error {
	in, err := c.integration(ctx, name)
	if err != nil {
		return err
	}
	var v verified
	if err := c.patient().call(ctx, http.MethodPost, "/v1/integrations/"+in.ID.String()+"/verify", nil, &v); err != nil {
		return err
	}
	there := "not counted by the provider"
	if v.ProviderCount != nil {
		there = number(*v.ProviderCount)
	}
	facts := [][2]string{
		{"account", in.name()},
		{"fresh as of", shown(v.FreshAsOf)},
		{"contacts there", there},
		{"contacts here", number(v.Contacts)},
		{"compared", fmt.Sprintf("%s: %s the same, %s changed there since, %s that can't be taken", number(v.Compared), number(v.Same), number(v.Newer), number(v.Failed))},
		{"checksums", v.Checksums.Provider[:min(12, len(v.Checksums.Provider))] + " there, " + v.Checksums.Here[:min(12, len(v.Checksums.Here))] + " here"},
	}
	for _, d := range v.Drift {
		line := number(d.Count)
		if len(d.ExternalIDs) > 0 {
			line += ": " + strings.Join(d.ExternalIDs, ", ")
		}
		facts = append(facts, [2]string{driftNames[d.Kind], line})
	}
	if err := a.writeFacts(facts); err != nil {
		return err
	}
	if v.OK {
		_, err := fmt.Fprintln(a.stdout, "no drift was found")
		return err
	}
	_, err = fmt.Fprintf(a.stderr, "enlace: what is here differs from what is there\n  what to do: `enlace sync %s --full`\n", printable(name))
	return errors.Join(errSaid, err)
}

//nolint:gochecknoglobals // a constant table
var driftNames = map[string]string{
	inspect.DriftCount: "numbers off", inspect.DriftMissingHere: "missing here", inspect.DriftGoneThere: "gone there", inspect.DriftDiffers: "differing",
}
