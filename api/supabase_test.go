package api_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSupabaseClient: Supabase's real client library starts a sync and reads the reason of a refused one.
func TestSupabaseClient(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	session := userToken(t, w.tenant.String(), nil)
	cmd := exec.CommandContext(t.Context(), "node", "client.mjs")
	cmd.Dir = supabaseClient(t)
	cmd.Env = append(os.Environ(), "URL="+w.http.URL, "SESSION="+session, "INTEGRATION="+w.integration.String(), "FOREIGN="+w.theirs.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)

	type result struct {
		Data   map[string]any `json:"data"`
		Name   string         `json:"name"`
		Status int            `json:"status"`
		Reason map[string]any `json:"reason"`
	}
	var got map[string]result
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)

	started := got["started"]
	require.Empty(t, started.Name, "%v", started.Reason)
	require.Equal(t, w.integration.String(), started.Data["integration_id"], "data is the run, not a string")
	require.Equal(t, "pending", started.Data["status"])
	require.Equal(t, started.Data["id"], got["text"].Data["id"], "a body sent as text/plain is the same request, and joins the run")

	for name, want := range map[string]struct {
		status int
		code   string
	}{"foreign": {404, "not_found"}, "wrong": {422, "validation_failed"}, "anonymous": {401, "unauthorized"}} {
		r := got[name]
		require.Equal(t, "FunctionsHttpError", r.Name, name)
		require.Equal(t, want.status, r.Status, name)
		require.Equal(t, want.code, r.Reason["code"], name)
		require.NotEmpty(t, r.Reason["error"], name)
	}
}

// supabaseClient installs the library, once for each version and machine, and returns the folder of the script.
func supabaseClient(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed: Supabase's client is not tried")
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "client.mjs"} {
		b, err := os.ReadFile(filepath.Join("testdata", "supabase", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("npm could not install Supabase's client: %v\n%s", err, out)
	}
	return dir
}
