-- +goose Up

-- The roles that Supabase has; elsewhere they are made, so that policies and grants mean the same everywhere.
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN CREATE ROLE anon NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticated') THEN CREATE ROLE authenticated NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN CREATE ROLE service_role NOLOGIN BYPASSRLS; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this server was quicker
END $$;
-- +goose StatementEnd

CREATE SCHEMA IF NOT EXISTS enlace;
GRANT USAGE ON SCHEMA enlace TO anon, authenticated, service_role;

-- jwt is the claims of the caller that PostgREST, or a test, has set; {} where there are none.
CREATE OR REPLACE FUNCTION enlace.jwt() RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = ''
    AS $$ SELECT coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb, '{}'::jsonb) $$;

-- jwt_tenant is the tenant in the claims. A project that keeps it elsewhere replaces this one function.
-- Never user_metadata: users may edit that.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION enlace.jwt_tenant() RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = ''
    AS $$
BEGIN
    RETURN nullif(enlace.jwt() #>> '{app_metadata,tenant_id}', '')::uuid;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- The two tables may be here already, with rows, from the system that enlace replaces: add, never drop or rewrite.
CREATE TABLE IF NOT EXISTS public.integrations (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id     uuid NOT NULL,
    provider      text NOT NULL,
    access_token  text,
    refresh_token text,
    expires_at    timestamptz,
    metadata      jsonb DEFAULT '{}'::jsonb,
    is_active     boolean DEFAULT true,
    created_at    timestamptz DEFAULT now(),
    updated_at    timestamptz DEFAULT now()
);

ALTER TABLE public.integrations
    ADD COLUMN IF NOT EXISTS status                text NOT NULL DEFAULT 'connected',
    ADD COLUMN IF NOT EXISTS status_reason         text,
    ADD COLUMN IF NOT EXISTS external_account_id   text,
    ADD COLUMN IF NOT EXISTS external_account_name text,
    ADD COLUMN IF NOT EXISTS api_domain            text,
    ADD COLUMN IF NOT EXISTS scopes                text[] NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS token_generation      bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS refresh_lease_until   timestamptz,
    ADD COLUMN IF NOT EXISTS refreshed_at          timestamptz,
    ADD COLUMN IF NOT EXISTS schedule              text NOT NULL DEFAULT '@every 15m',
    ADD COLUMN IF NOT EXISTS next_sync_at          timestamptz,
    ADD COLUMN IF NOT EXISTS window_end            timestamptz,
    ADD COLUMN IF NOT EXISTS watermark             timestamptz,
    ADD COLUMN IF NOT EXISTS swept_at              timestamptz;

COMMENT ON COLUMN public.integrations.api_domain IS 'Base URL of the account''s API, checked against the provider''s own domains. Not in metadata, which tenants may write.';
COMMENT ON COLUMN public.integrations.window_end IS 'Upper end of the last window that was walked to its end; the next one begins 15 minutes before it.';
COMMENT ON COLUMN public.integrations.watermark IS 'Largest update time committed: "data fresh as of". Bounds nothing.';
COMMENT ON COLUMN public.integrations.swept_at IS 'When the last whole sweep ended; deletions without a trace are found by the next one.';

-- Rows of the earlier system that were switched off are paused here.
UPDATE public.integrations SET status = 'paused' WHERE is_active IS FALSE AND status = 'connected';

ALTER TABLE public.integrations
    ADD CONSTRAINT integrations_status_known CHECK (status IN ('connected', 'needs_reauth', 'paused', 'disconnected')) NOT VALID;

-- is_active is false exactly when status is paused or disconnected, whichever of the two was written: a dashboard that
-- only knows is_active pauses and resumes with it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION enlace.keep_active_and_status() RETURNS trigger
    LANGUAGE plpgsql SET search_path = ''
    AS $$
DECLARE
    v_wanted public.integrations%ROWTYPE;
BEGIN
    -- a browser's session writes these two columns and no other, whatever has been granted to it: Supabase grants all
    IF TG_OP = 'UPDATE' AND current_setting('role') IN ('anon', 'authenticated') THEN
        v_wanted := NEW;
        NEW := OLD;
        NEW.is_active := v_wanted.is_active;
        NEW.metadata := v_wanted.metadata;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.is_active IS FALSE AND NEW.status NOT IN ('paused', 'disconnected') THEN
            NEW.status := 'paused';
        END IF;
    ELSIF NEW.is_active IS DISTINCT FROM OLD.is_active AND NEW.status IS NOT DISTINCT FROM OLD.status THEN
        IF NEW.is_active IS FALSE AND NEW.status NOT IN ('paused', 'disconnected') THEN
            NEW.status := 'paused';
        ELSIF NEW.is_active AND NEW.status = 'paused' THEN
            NEW.status := 'connected';
        END IF;
    END IF;
    NEW.is_active := NEW.status NOT IN ('paused', 'disconnected');
    IF TG_OP = 'UPDATE' AND (NEW.is_active, NEW.status, NEW.metadata, NEW.schedule, NEW.external_account_name)
        IS DISTINCT FROM (OLD.is_active, OLD.status, OLD.metadata, OLD.schedule, OLD.external_account_name) THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

DROP TRIGGER IF EXISTS enlace_keep_active_and_status ON public.integrations;
CREATE TRIGGER enlace_keep_active_and_status BEFORE INSERT OR UPDATE ON public.integrations
    FOR EACH ROW EXECUTE FUNCTION enlace.keep_active_and_status();

-- One row per account and tenant. Rows of the earlier system have no account id until they are connected again.
CREATE UNIQUE INDEX IF NOT EXISTS enlace_integrations_account ON public.integrations (tenant_id, provider, external_account_id)
    WHERE external_account_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS enlace_integrations_tenant ON public.integrations (tenant_id, created_at DESC, id);
CREATE INDEX IF NOT EXISTS enlace_integrations_due ON public.integrations (next_sync_at) WHERE status = 'connected' AND next_sync_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS enlace_integrations_same_account ON public.integrations (provider, external_account_id);

CREATE TABLE IF NOT EXISTS public.integration_sync_logs (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    integration_id uuid NOT NULL REFERENCES public.integrations (id) ON DELETE CASCADE,
    sync_type      text NOT NULL,
    status         text NOT NULL DEFAULT 'pending',
    records_synced integer DEFAULT 0,
    error_message  text,
    started_at     timestamptz,
    completed_at   timestamptz
);

ALTER TABLE public.integration_sync_logs
    ADD COLUMN IF NOT EXISTS tenant_id           uuid,
    ADD COLUMN IF NOT EXISTS created_at          timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS due_at              timestamptz,
    ADD COLUMN IF NOT EXISTS missed_ticks        integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS requested_by        text,
    ADD COLUMN IF NOT EXISTS after_run_id        uuid,
    ADD COLUMN IF NOT EXISTS job_id              bigint,
    ADD COLUMN IF NOT EXISTS fence               bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS lease_until         timestamptz,
    ADD COLUMN IF NOT EXISTS checkpoint          jsonb NOT NULL DEFAULT '{}'::jsonb,
    ADD COLUMN IF NOT EXISTS window_start        timestamptz,
    ADD COLUMN IF NOT EXISTS window_end          timestamptz,
    ADD COLUMN IF NOT EXISTS failures_in_row     integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS cancel_requested_at timestamptz,
    ADD COLUMN IF NOT EXISTS outcome             text,
    ADD COLUMN IF NOT EXISTS records_seen        bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS records_created     bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS records_updated     bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS records_unchanged   bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS records_deleted     bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS records_failed      bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS records_total       bigint,
    ADD COLUMN IF NOT EXISTS total_is_estimate   boolean NOT NULL DEFAULT true,
    ADD COLUMN IF NOT EXISTS live_count          bigint,
    ADD COLUMN IF NOT EXISTS provider_count      bigint,
    ADD COLUMN IF NOT EXISTS drift               bigint,
    ADD COLUMN IF NOT EXISTS pages               integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS api_calls           integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS error_code          text,
    ADD COLUMN IF NOT EXISTS error_variant       text,
    ADD COLUMN IF NOT EXISTS error_detail        text,
    ADD COLUMN IF NOT EXISTS waiting_until       timestamptz,
    ADD COLUMN IF NOT EXISTS waiting_reason      text,
    ADD COLUMN IF NOT EXISTS updated_at          timestamptz NOT NULL DEFAULT now();

COMMENT ON COLUMN public.integration_sync_logs.records_total IS 'Null while unknown; an estimate (the previous live count) while total_is_estimate.';

-- What is open here at this moment was left open by the earlier system: nobody works on it any more.
UPDATE public.integration_sync_logs l SET tenant_id = i.tenant_id
    FROM public.integrations i WHERE i.id = l.integration_id AND l.tenant_id IS NULL;
UPDATE public.integration_sync_logs SET created_at = started_at WHERE started_at IS NOT NULL AND started_at < created_at;
UPDATE public.integration_sync_logs
    SET status = 'failed', error_code = 'interrupted', completed_at = coalesce(completed_at, now()),
        error_message = coalesce(error_message, 'This sync was open in the earlier system. The next one covers it.')
    WHERE status IN ('pending', 'in_progress') AND job_id IS NULL;

-- Writers that know only the old columns leave the tenant out.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION enlace.fill_run_tenant() RETURNS trigger
    LANGUAGE plpgsql SET search_path = ''
    AS $$
BEGIN
    IF NEW.tenant_id IS NULL THEN
        SELECT tenant_id INTO NEW.tenant_id FROM public.integrations WHERE id = NEW.integration_id;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

DROP TRIGGER IF EXISTS enlace_fill_run_tenant ON public.integration_sync_logs;
CREATE TRIGGER enlace_fill_run_tenant BEFORE INSERT ON public.integration_sync_logs
    FOR EACH ROW EXECUTE FUNCTION enlace.fill_run_tenant();

ALTER TABLE public.integration_sync_logs
    ADD CONSTRAINT integration_sync_logs_type_known CHECK (sync_type IN ('full', 'incremental')) NOT VALID,
    ADD CONSTRAINT integration_sync_logs_status_known CHECK (status IN ('pending', 'in_progress', 'completed', 'failed')) NOT VALID,
    ADD CONSTRAINT integration_sync_logs_outcome_known CHECK (outcome IN ('finished', 'finished_with_skipped', 'stopped_early', 'deletions_held')) NOT VALID,
    ADD CONSTRAINT integration_sync_logs_counts_add_up CHECK (records_seen = records_created + records_updated + records_unchanged + records_failed) NOT VALID;

-- At most one run works and one waits behind it, whatever the code does.
CREATE UNIQUE INDEX IF NOT EXISTS enlace_runs_one_active ON public.integration_sync_logs (integration_id)
    WHERE status IN ('pending', 'in_progress') AND after_run_id IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS enlace_runs_one_follower ON public.integration_sync_logs (integration_id)
    WHERE status IN ('pending', 'in_progress') AND after_run_id IS NOT NULL;
-- A scheduled tick happens once.
CREATE UNIQUE INDEX IF NOT EXISTS enlace_runs_one_tick ON public.integration_sync_logs (integration_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS enlace_runs_by_integration ON public.integration_sync_logs (integration_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS enlace_runs_by_tenant ON public.integration_sync_logs (tenant_id, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS enlace_runs_changed ON public.integration_sync_logs (tenant_id, updated_at);

-- Row-level security: a user's rows are those of the tenant in the claims. Existing policies and grants stay.
ALTER TABLE public.integrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.integration_sync_logs ENABLE ROW LEVEL SECURITY;
CREATE POLICY enlace_tenant_reads ON public.integrations FOR SELECT TO authenticated
    USING (tenant_id = (SELECT enlace.jwt_tenant()));
CREATE POLICY enlace_tenant_writes ON public.integrations FOR UPDATE TO authenticated
    USING (tenant_id = (SELECT enlace.jwt_tenant())) WITH CHECK (tenant_id = (SELECT enlace.jwt_tenant()));
CREATE POLICY enlace_tenant_reads ON public.integration_sync_logs FOR SELECT TO authenticated
    USING (tenant_id = (SELECT enlace.jwt_tenant()));
GRANT SELECT ON public.integrations, public.integration_sync_logs TO authenticated;
GRANT UPDATE (is_active, metadata) ON public.integrations TO authenticated;
GRANT ALL ON public.integrations, public.integration_sync_logs TO service_role;

-- Supabase Realtime shows progress to dashboards that subscribe to the table.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime')
        AND NOT EXISTS (SELECT FROM pg_publication_tables WHERE pubname = 'supabase_realtime'
            AND schemaname = 'public' AND tablename = 'integration_sync_logs') THEN
        ALTER PUBLICATION supabase_realtime ADD TABLE public.integration_sync_logs;
    END IF;
END $$;
-- +goose StatementEnd
