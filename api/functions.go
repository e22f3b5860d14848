package api

import (
	"context"
	"net/http"
)

// mountFunctions mounts what dashboards call through supabase.functions.invoke.
func (s *Server) mountFunctions() error {
	return handle(s, operation{
		method: http.MethodPost, path: functionsPrefix + "sync-crm", access: accessTenant, body: bodyLoose, id: "sync-crm", tag: "Supabase",
		status: http.StatusAccepted, summary: "Start a sync, as supabase.functions.invoke('sync-crm') asks for it",
		description: "The same as POST /v1/integrations/{id}/syncs. Refusals are application/json, which is what supabase-js reads; members that this version doesn't know are passed over.",
	}, s.syncCRM)
}

type syncCRMInput struct {
	IdempotencyHeader

	Body struct {
		_ struct{} `json:"-" additionalProperties:"true"`

		IntegrationID string `json:"integration_id"`
		SyncType      string `json:"sync_type" enum:"full,incremental"`
	}
}

func (s *Server) syncCRM(ctx context.Context, in *syncCRMInput) (*runOutput, error) {
	return s.enqueue(ctx, in.IdempotencyKey, in.Body.IntegrationID, in.Body.SyncType)
}
