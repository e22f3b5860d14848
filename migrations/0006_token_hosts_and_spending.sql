-- +goose Up

ALTER TABLE public.integrations
    ADD COLUMN IF NOT EXISTS auth_server   text,
    ADD COLUMN IF NOT EXISTS deleted_until timestamptz;

COMMENT ON COLUMN public.integrations.auth_server IS 'Base URL of the account''s token host, where the provider has several; checked against the provider''s own.';
COMMENT ON COLUMN public.integrations.deleted_until IS 'Until when the provider''s list of deletions has been read to its end.';

ALTER TABLE public.integration_sync_logs
    ADD COLUMN IF NOT EXISTS quota_used bigint NOT NULL DEFAULT 0;

COMMENT ON COLUMN public.integration_sync_logs.quota_used IS 'What the run''s calls cost of the account''s daily budget, in the provider''s own unit; 0 where it counts none.';

-- What our calls have cost an account, by the hour: budgets of any 24 hours have no midnight.
CREATE TABLE public.rate_spending (
    provider            text NOT NULL,
    external_account_id text NOT NULL,
    hour                timestamptz NOT NULL,
    spent               bigint NOT NULL,
    PRIMARY KEY (provider, external_account_id, hour)
);

ALTER TABLE public.rate_spending ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON public.rate_spending FROM anon, authenticated;
GRANT ALL ON public.rate_spending TO service_role;
