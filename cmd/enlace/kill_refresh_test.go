//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store/storetest"
)

// TestOneRefreshForManyRequests: the access token expires at the provider, and fifty requests at three API processes need
// a new one at once. One refresh reaches the provider, which takes a refresh token once, and every request is answered.
func TestOneRefreshForManyRequests(t *testing.T) {
	t.Parallel()

	const requests = 50
	in := newInstall(t, storetest.EmptyURL(t), 10)
	addrs := []string{in.api, freeAddr(t), freeAddr(t)}
	for i, addr := range addrs {
		in.start(t, &member{command: "api", name: fmt.Sprintf("api%d", i), addr: addr})
	}
	in.connect(t)
	require.NoError(t, in.fake.Configure(func(s *sandbox.PipedriveSettings) { s.LatencyMS = 500 })) // all of them wait at once
	in.fake.ResetCounters()
	in.fake.ExpireAccessTokens()

	statuses := make([]int, requests)
	bodies := make([]string, requests)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range requests {
		all.Go(func() {
			<-begin
			statuses[i], bodies[i] = in.check(t.Context(), addrs[i%len(addrs)])
		})
	}
	close(begin)
	all.Wait()
	for i := range requests {
		require.Equal(t, http.StatusOK, statuses[i], bodies[i])
	}

	_, control := get(t, in.sandbox+"/sandbox/control/pipedrive", "")
	var counted struct {
		Refreshes int `json:"refreshes"`
	}
	require.NoError(t, json.Unmarshal([]byte(control), &counted))
	require.Equal(t, 1, counted.Refreshes)
}

// check reads the account through one API process.
func (in *install) check(ctx context.Context, addr string) (status int, body string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/integrations/"+in.account+"/check", http.NoBody)
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+in.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	var answer json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(answer)
}
