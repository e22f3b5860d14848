-- +goose Up

-- Held deletions: who decided, and how. What is held stays in confirming_reads until then.
ALTER TABLE public.integration_sync_logs
    ADD COLUMN IF NOT EXISTS deletions_held       bigint,
    ADD COLUMN IF NOT EXISTS deletions_decision   text,
    ADD COLUMN IF NOT EXISTS deletions_decided_at timestamptz,
    ADD COLUMN IF NOT EXISTS deletions_decided_by text;

COMMENT ON COLUMN public.integration_sync_logs.deletions_held IS 'How many deletions a full run left to a person; null: none.';
COMMENT ON COLUMN public.integration_sync_logs.deletions_decision IS 'What became of them: a person confirmed or discarded them, or a later full run cleared them; null: they still wait.';

ALTER TABLE public.integration_sync_logs
    ADD CONSTRAINT integration_sync_logs_decision_known CHECK (deletions_decision IN ('confirmed', 'discarded', 'cleared')) NOT VALID,
    -- the closed list of the words: no path of whatever program can end a run with a cause that nobody can put into words
    ADD CONSTRAINT integration_sync_logs_code_known CHECK (error_code IN (
        'provider_unavailable', 'rate_limited', 'quota_exhausted', 'needs_reauth', 'misconfigured', 'blocked', 'cursor_expired',
        'invalid_request', 'not_found', 'unknown_outcome', 'schema_changed', 'record_skipped', 'deletions_held', 'drift', 'webhook_lost',
        'provider_sunset', 'interrupted', 'cancelled', 'internal', 'unauthorized', 'forbidden', 'validation_failed', 'conflict',
        'integration_inactive', 'connect_denied', 'connect_invalid', 'window_closed', 'template_rejected', 'recipient_unavailable',
        'channel_setup')) NOT VALID,
    -- rows of the earlier system have no job
    ADD CONSTRAINT integration_sync_logs_end_said CHECK (job_id IS NULL OR CASE status
        WHEN 'failed' THEN error_code IS NOT NULL WHEN 'completed' THEN outcome IS NOT NULL ELSE true END) NOT VALID,
    ADD CONSTRAINT integration_sync_logs_wait_said CHECK (waiting_until IS NULL OR waiting_reason IS NOT NULL) NOT VALID;

ALTER TABLE public.confirming_reads ADD COLUMN IF NOT EXISTS held_at timestamptz;
COMMENT ON COLUMN public.confirming_reads.held_at IS 'Since when it waits for a person; done_at is when the record itself was read, if it was.';
UPDATE public.confirming_reads SET held_at = coalesce(done_at, now()), begun_at = NULL, done_at = NULL WHERE result = 'held';
UPDATE public.integration_sync_logs r SET deletions_held = h.n
    FROM (SELECT run_id, count(*) AS n FROM public.confirming_reads WHERE result = 'held' GROUP BY run_id) h WHERE h.run_id = r.id;

-- What was found when the account was connected, and when new access tokens were asked for of late: some token hosts give
-- only so many.
ALTER TABLE public.integrations
    ADD COLUMN IF NOT EXISTS contacts_found       bigint,
    ADD COLUMN IF NOT EXISTS contacts_found_more  boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS probed_at            timestamptz,
    ADD COLUMN IF NOT EXISTS refresh_times        timestamptz[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN public.integrations.contacts_found IS 'Contacts that the provider had when the account was connected; at least so many where contacts_found_more.';
COMMENT ON COLUMN public.integrations.refresh_times IS 'When access tokens were asked for with the present refresh token, no further back than the token host''s limit counts.';

-- Refresh tokens that live at a provider which keeps only so many of a user, by their SHA-256. The one beyond ends the
-- oldest without a word.
CREATE TABLE public.granted_tokens (
    provider            text NOT NULL,
    external_account_id text NOT NULL,
    token_hash          bytea NOT NULL,
    integration_id      uuid REFERENCES public.integrations (id) ON DELETE SET NULL,
    granted_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at            timestamptz,
    PRIMARY KEY (provider, external_account_id, token_hash)
);
CREATE INDEX granted_tokens_live ON public.granted_tokens (provider, external_account_id, granted_at) WHERE ended_at IS NULL;
COMMENT ON COLUMN public.granted_tokens.ended_at IS 'When it was withdrawn, or pushed out by newer ones; null: it lives, as far as we know.';

ALTER TABLE public.granted_tokens ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON public.granted_tokens FROM anon, authenticated;
GRANT ALL ON public.granted_tokens TO service_role;

-- The ledger is read by reason.
CREATE INDEX sync_failures_by_reason ON public.sync_failures (integration_id, reason) WHERE resolved_at IS NULL;
