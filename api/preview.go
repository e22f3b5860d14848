package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/enlace/inspect"
	"example.com/enlace/jobs"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// inspectLimit bounds a reading that a person waits for.
const inspectLimit = time.Minute

// previewView is a preview in words.
type previewView struct {
	inspect.Preview

	Title    string   `json:"title" doc:"The question before the sync, in the caller's language."`
	Sentence string   `json:"sentence" doc:"What it would cost, in the caller's language."`
	Buttons  []string `json:"buttons" nullable:"false"`
}

// answerOf documents an answer by its type.
func (s *Server) answerOf(t reflect.Type, description string) *huma.Response {
	schema := s.huma.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

func (s *Server) preview(ctx context.Context, text, syncType string) (v previewView, err error) {
	i, err := s.inspectable(ctx, text)
	if err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, inspectLimit)
	defer cancel()
	if v.Preview, err = s.inspect.Preview(ctx, i, syncType); err != nil {
		return v, s.ofProvider(i, err)
	}
	args := s.argsOf(i)
	args.Total, args.Calls, args.ETA = &v.Records.Count, &v.Calls.Count, time.Duration(max(v.Seconds, 1))*time.Second
	if v.Quota != nil {
		args.Percent = v.Quota.Percent
	}
	args.N = &v.Records.Count
	key := words.AskFullResync
	switch {
	case v.RunsAs == store.Incremental:
		key = words.AskChanges
	case args.Percent == nil:
		key = words.AskFullResyncPlain
	}
	asked := words.Confirmation(callOf(ctx).lang, key, args)
	v.Title, v.Sentence, v.Buttons = asked.Title, asked.Sentence, asked.Buttons
	return v, nil
}

// inspectable reads an integration that the caller may see and that can be read at its provider now.
func (s *Server) inspectable(ctx context.Context, text string) (store.Integration, error) {
	i, err := s.readIntegrationOf(ctx, text)
	if err != nil {
		return i, err
	}
	if i.Status != store.Connected {
		return i, s.named(i, &jobs.InactiveError{Status: i.Status})
	}
	return i, nil
}

// mountVerify mounts the proof that nothing is missing.
func (s *Server) mountVerify() error {
	return handle(s, operation{
		method: http.MethodPost, path: "/v1/integrations/{id}/verify", access: accessTenant, id: "verify-integration", tag: "Integrations", lasting: true,
		summary: "Compare what the provider has with what is here",
		description: "Compares the counts, the content of a sample of contacts with their records there, and a page of records there with our contacts. It writes nothing. " +
			"A full sync compares the counts by itself, and there is one at least every week.",
	}, s.verify)
}

// verificationView is a verification of an integration.
type verificationView struct {
	IntegrationID string `json:"integration_id"`

	inspect.Verification

	OK bool `json:"ok" doc:"No drift was found."`
}

type verifyOutput struct{ Body verificationView }

func (s *Server) verify(ctx context.Context, in *integrationInput) (*verifyOutput, error) {
	i, err := s.inspectable(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, inspectLimit)
	defer cancel()
	v, err := s.inspect.Verify(ctx, i)
	if err != nil {
		return nil, s.ofProvider(i, err)
	}
	return &verifyOutput{verificationView{i.ID.String(), v, len(v.Drift) == 0}}, nil
}
