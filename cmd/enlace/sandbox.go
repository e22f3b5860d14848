package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/enlace/providers/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var addr, baseURL string
	var contacts int
	cmd := &cobra.Command{
		Use:     "sandbox",
		GroupID: groupRun,
		Short:   "Run the providers' stand-ins alone",
		Long: `Runs realistic stand-ins of the providers: consent pages, contacts, webhooks, limits and faults. They are steered at
/sandbox/control/{provider}. "enlace dev" has them inside; alone they serve an enlace elsewhere, which finds them by
the variables that it prints.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if contacts < 0 {
				return usagef("--contacts must be 0 or more")
			}
			base, err := sandboxBase(addr, baseURL)
			if err != nil {
				return err
			}
			return a.runSandbox(cmd.Context(), addr, base, contacts)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8090", "address to listen on; port 0 is any free one")
	cmd.Flags().StringVar(&baseURL, "base-url", "", "where it is reached, such as http://sandbox:8090 (default: the address that it listens on)")
	cmd.Flags().IntVar(&contacts, "contacts", defaultContacts, "contacts in each company of each CRM")
	return cmd
}

// defaultContacts is enough to see a sync run, and few enough to wait for it.
const defaultContacts = 10_000

// sandboxBase is where the sandbox says that it is reached; "": at the address that it listens on, which must then be
// one. Its grants name it, and tokens go nowhere else.
func sandboxBase(addr, baseURL string) (string, error) {
	if baseURL != "" {
		var base webURL
		if err := base.Decode(baseURL); err != nil {
			return "", usagef("--base-url must look like http://sandbox:8090")
		}
		return string(base), nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usagef("--addr must look like 127.0.0.1:8090")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "", usagef("--addr %s is every address of this machine: say with --base-url at which one the sandbox is reached, such as http://sandbox:8090", addr)
	}
	return "", nil
}

func (a *app) runSandbox(ctx context.Context, addr, base string, contacts int) error {
	listener, err := listen(ctx, addr, "--addr")
	if err != nil {
		return err
	}
	if base == "" {
		base = address(listener.Addr())
	}
	fakes := sandbox.New(sandbox.Config{BaseURL: base, Contacts: contacts}) //nolint:contextcheck // it ends by Close
	server := &http.Server{Handler: fakes.Handler(), ReadHeaderTimeout: headerLimit, IdleTimeout: idleLimit}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	lines := []string{"the sandbox is ready at " + base}
	for _, known := range adapters() {
		lines = append(lines, "  steer it: curl "+base+"/sandbox/control/"+known.name)
		for _, v := range known.sandboxVariables(base) {
			lines = append(lines, "  "+v.name+"="+v.value)
		}
	}
	if _, err := fmt.Fprintln(a.stdout, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("say where the sandbox is: %w", err)
	}
	select {
	case err := <-ended:
		return fmt.Errorf("serve %s: %w", addr, err)
	case <-ctx.Done():
	}
	fakes.Close()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return server.Close()
	}
	return nil
}
