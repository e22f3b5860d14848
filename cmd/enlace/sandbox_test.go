//go:build unix

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhereTheSandboxIsReached(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		addr, given string
		want, err   string
	}{
		"one address is where it is reached":     {addr: "127.0.0.1:8090"},
		"so is a name":                           {addr: "sandbox:8090"},
		"every address needs to be told":         {addr: "0.0.0.0:8090", err: "--base-url"},
		"every address of IPv6 too":              {addr: "[::]:8090", err: "--base-url"},
		"a port alone is every address":          {addr: ":8090", err: "--base-url"},
		"what was told":                          {addr: "0.0.0.0:8090", given: "http://sandbox:8090/", want: "http://sandbox:8090"},
		"what was told for one address, a proxy": {addr: "127.0.0.1:8090", given: "https://sandbox.example.com", want: "https://sandbox.example.com"},
		"what was told is no address":            {addr: "0.0.0.0:8090", given: "sandbox:8090", err: "--base-url must look like http://sandbox:8090"},
		"an address without a port":              {addr: "127.0.0.1", err: "--addr must look like 127.0.0.1:8090"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			base, err := sandboxBase(tt.addr, tt.given)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				var usage *usageError
				require.ErrorAs(t, err, &usage)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, base)
		})
	}
}

func TestTheSandboxNamesItsBaseURL(t *testing.T) {
	t.Parallel()

	s := startServer(t, nil, devEnv(), "sandbox", "--addr", "127.0.0.1:0", "--base-url", "http://sandbox:8090")
	require.Equal(t, "the sandbox is ready at http://sandbox:8090", <-s.lines)
	refused := enlace(t, devEnv(), "sandbox", "--addr", "0.0.0.0:0")
	require.Equal(t, exitUsage, refused.code)
	require.Contains(t, refused.stderr, "--base-url")
}
